"""What one process sends is what the other receives."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections import deque
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from streamssl.data.drift import Drift
from streamssl.data.events import EventBatch, Schema
from streamssl.data.results import EpochReport, Results
from streamssl.host.base import Closed
from streamssl.host.frames import receive, send
from streamssl.host.openings import OpeningReader, packed
from streamssl.host.process import closed_of
from tests.engine.fake_learner import OPENING
from tests.made_results import made_results

PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)
ARRAYS = st.sampled_from(["<f4", "<f8", "<i8", "|b1", "<f2"]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0))
)
MESSAGES = st.recursive(
    PLAIN | st.text() | ARRAYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def through(*messages: Any) -> list[Any]:
    """The messages after their way."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=lambda: deque(map(partial(send, ours), messages)))
        sender.start()
        found = [receive(theirs) for _ in messages]
        sender.join()
    return found


def same(a: Any, b: Any) -> bool:
    """Equal, arrays to the last bit."""
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@settings(max_examples=60, deadline=None)
@given(message=MESSAGES, other=MESSAGES)
def test_messages_arrive_as_they_were_sent(message: Any, other: Any) -> None:
    """Nested plain values and arrays of any kind and shape, one message after another."""
    assert same(through(message, other), [message, other])


def test_keys_arrive_and_a_slice_is_a_slice() -> None:
    """Arrow strings, also a part of a longer array, and numbers of NumPy's own."""
    keys = pa.array(["a", "", "läng" * 9, "b"])
    found = through({"keys": keys[1:3], "count": np.int64(7)})[0]
    assert found["keys"].equals(keys[1:3])
    assert found["count"] == 7


def test_large_arrays_arrive_and_may_be_written_to() -> None:
    """More than a socket holds at once; the receiver owns what it gets."""
    large = np.arange(2_000_000.0).reshape(-1, 4)
    found = through([large])[0][0]
    np.testing.assert_array_equal(found, large)
    found += 1.0


def test_an_end_is_told() -> None:
    """A process that is gone is no message."""
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        with pytest.raises(EOFError):
            receive(theirs)


def test_a_batch_arrives_with_all_its_blocks() -> None:
    """Numbers, texts (a missing one too) and images come back as a batch of the same columns."""
    rows = np.arange(3)
    texts = pa.record_batch({"shop": pa.array(["a", None, "é"]), "till": pa.array(["1", "2", ""])})
    batch = EventBatch(
        topic="cards",
        partition=0 * rows,
        offset=rows,
        index=0 * rows,
        keys=pa.array(["k", "", "k"]),
        event_time=rows.astype(np.float64),
        fields=("amount",),
        values_BC=np.array([[1.5], [np.nan], [3.0]], np.float32),
        texts=texts,
        images_BHWC=np.arange(3 * 2 * 4 * 3, dtype=np.uint8).reshape(3, 2, 4, 3),
    )
    for sent in (batch, batch.take(slice(1, 3)), batch.take(slice(0, 0))):
        found = EventBatch.from_plain(through(sent)[0])
        assert found.schema == sent.schema == Schema(("amount",), ("shop", "till"))
        assert found.ids() == sent.ids()
        assert found.keys.equals(sent.keys)
        assert found.texts is not None
        assert found.texts.equals(sent.texts)
        np.testing.assert_array_equal(found.values_BC, sent.values_BC)
        np.testing.assert_array_equal(found.images_BHWC, sent.images_BHWC)


def test_drifts_arrive_as_such() -> None:
    """Those of results and those of a report, as the engine compares and announces them."""
    drifts = (Drift("scores", 7, 20.5, 18.0, 0.01, 0.9), Drift("loss.moco", 7, 20.5, 9.0, 1.0, 2.0))
    batch = EventBatch.from_numpy(np.zeros((2, 1)), fields=["a"], key="k")
    sent = {"parts": ("a",), "drifts": drifts, "epoch": 8}
    found = Results.from_plain(vars_of(made_results(batch)) | through(sent)[0])
    assert (found.drifts, found.parts) == (drifts, ("a",))
    assert all(isinstance(drift, Drift) for drift in found.drifts)
    closed = Closed(EpochReport(7, 32, gradient_norm=1.5, losses={"moco": 2.0}, drifts=drifts), 99)
    assert closed_of(through(closed)[0]) == closed


def test_openings_arrive_and_are_read_once() -> None:
    """Maps to the last bit; what is said again is the same object, until another is said."""
    other = OPENING._replace(space="0/space-2", anchor_cosine=None)
    reader, sent = OpeningReader(), [None, OPENING, OPENING, other, None]
    found = [reader.read(value) for value in through(*map(packed, sent))]
    assert found == sent
    assert found[1] is found[2]
    assert isinstance(found[1], type(OPENING))


def vars_of(results: Results) -> dict[str, Any]:
    """The fields of some results by name."""
    return {f.name: getattr(results, f.name) for f in dataclasses.fields(results)}
