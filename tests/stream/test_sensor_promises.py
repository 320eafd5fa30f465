"""What holds of sensors beyond what holds of every stream."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from streamssl.checkpoint import CheckpointError
from streamssl.data.events import FloatArray
from streamssl.modalities import Modality
from streamssl.modalities.sensor.modality import SensorModality
from tests.stream.runs import assert_same
from tests.stream.streams import small_learner, stream

WHOLE = stream(700)


def test_rebuilt_windows_continue_exactly() -> None:
    """Keys with a full window in the tail see the same window as if nothing had happened."""
    learner, moved = small_learner(), small_learner()
    past, tail = WHOLE.take(slice(0, 300)), WHOLE.take(slice(200, 300))
    learner.process(past)
    moved.process(past)
    moved.rebuild(0, tail.take(np.flatnonzero(tail.partition == 0)))
    probe = WHOLE.take(slice(300, 330))
    assert learner._model is not None
    assert moved._model is not None
    for one in (learner, moved):
        one.advance(probe)
    for place, slot in moved._model.keys.held().items():
        other = learner._model.keys.held()[place]
        np.testing.assert_allclose(
            windows_of(moved._model.modality)[slot],
            windows_of(learner._model.modality)[other],
            rtol=1e-6,
            atol=1e-5,  # each in float32 about an origin of its own
        )


def windows_of(modality: Modality[Any]) -> FloatArray:
    """The raw windows of every key."""
    assert isinstance(modality, SensorModality)
    context = modality.context
    origin_KC = context.origins.of(np.arange(context.columns.num_slots))
    windows: FloatArray = origin_KC[:, None] + context.columns["window"]
    return windows


@pytest.mark.parametrize(
    ("num_channels", "num_keys"), [(1, 1), (2, 20), (60, 1)], ids=["one", "keys", "wide"]
)
def test_odd_shapes(num_channels: int, num_keys: int) -> None:
    """One channel, many keys and long vectors all give finite scores for every event."""
    batch = stream(200, num_channels=num_channels, num_keys=num_keys)
    results = small_learner().process(batch)
    assert np.isfinite(results.raw).all()
    assert ((results.p_value > 0) & (results.p_value <= 1)).all()
    assert results.embedding_BD.shape == (200, 64 + 4)


def test_constant_and_missing_channels() -> None:
    """A constant channel and one that is never seen are no reason to fail or to alert."""
    batch = stream(400, num_channels=4, missing=0.0)
    batch.values_BC[:, 1] = 7.0
    batch.values_BC[:, 2] = np.nan
    results = small_learner().process(batch)
    assert np.isfinite(results.raw).all()
    assert not (results.top_field[results.explained] == 2).any()


def with_value(row: int, place: int, value: float) -> FloatArray:
    """Readings of four rows with one number replaced."""
    values_BC = np.zeros((4, 3))
    values_BC[row, place] = value
    return values_BC


def test_float32_is_taken_for_what_it_is() -> None:
    """Readings may be given as float32: they are the same numbers."""
    batch = stream(80)
    narrow_BC = batch.values_BC.astype(np.float32)
    results = small_learner().process(replace(batch, values_BC=narrow_BC))  # type: ignore[arg-type]
    same = small_learner().process(replace(batch, values_BC=narrow_BC.astype(np.float64)))
    np.testing.assert_array_equal(results.raw, same.raw)
    assert results.batch.values_BC.dtype == np.float64


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("keys", pa.array([None] * 4, pa.string()), "without nulls"),
        ("keys", ["k"] * 4, "StringArray"),
        ("event_time", np.zeros(3), "event_time must have 4 rows"),
        ("values_BC", np.zeros((3, 3), np.float32), "values_BC"),
        ("values_BC", np.zeros((4, 3), np.int64), "int64; float64 or float32"),
        ("values_BC", with_value(2, 1, np.inf), "field 'c1' is inf in row 2"),
        ("values_BC", with_value(3, 0, -3.5e38), "field 'c0' is -3.5e[+]38 in row 3"),
    ],
)
def test_a_batch_that_does_not_fit_together_is_refused(
    column: str, value: object, words: str
) -> None:
    """The error names the column and what it must be."""
    batch = replace(stream(4), **{column: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=words):
        small_learner().process(batch)


@pytest.mark.parametrize(
    "sections",
    [
        {"learner": {"hidden": 16, "embedding": 4, "projection": 4}},
        {"scorers": {"max_features": 8}},
        {"modality": {"next_step_residual": True}},
        {"modality": {"window": 200}},
        {"objectives": {"moco": {"queue": 32}}},
    ],
    ids=["hidden", "max_features", "next_step", "window", "queue"],
)
def test_a_state_of_other_sizes_is_refused(
    tmp_path: Path, sections: dict[str, dict[str, Any]]
) -> None:
    """Loading under another configuration says that the sizes differ, not how torch sees it."""
    learner = small_learner()
    learner.learn(WHOLE.take(slice(0, 40)))
    learner.save(tmp_path)
    with pytest.raises(CheckpointError, match="sizes"):
        small_learner(**sections).load(tmp_path)


def test_a_smaller_memory_takes_over_what_fits(tmp_path: Path) -> None:
    """A lower `scorers.memory.capacity` is no other size: the rest is forgotten."""
    learner = small_learner()
    learner.process(WHOLE)
    learner.save(tmp_path)
    smaller = small_learner(scorers={"memory": {"enabled": True, "capacity": 16}})
    smaller.load(tmp_path)
    results = smaller.process(stream(100, seed=4))
    assert np.isfinite(results.raw_scores["memory"]).all()


def test_a_long_tail_is_read_in_pieces() -> None:
    """A tail of many pieces leaves the state of one read at once, in bounded memory."""
    tail = stream(3_000, num_partitions=1)
    whole, pieces = small_learner(), small_learner()
    whole.rebuild(0, tail)
    pieces.rebuild(0, tail.take(slice(0, 1)))
    assert pieces._model is not None
    for row in range(1, 3_000, 700):
        pieces._model.warm(tail.take(slice(row, row + 700)))
    probe = stream(30, num_partitions=1, seed=3)
    assert_same(whole.score(probe), pieces.score(probe))
    tails = [stream(rows, num_partitions=1) for rows in (15_000, 60_000)]
    peaks = [peak_of(partial(whole.rebuild, 0, tail)) for tail in tails]
    assert peaks[1] < 1.2 * peaks[0]


def peak_of(action: Callable[[], None]) -> int:
    """Most bytes that something allocates at once."""
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
