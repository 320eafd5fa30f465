"""What holds however the stream comes: bits, prequential scoring, resuming, reading."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.checkpoint import CheckpointError
from streamssl.events import EventBatch, Float32Array
from streamssl.modalities import Modality
from streamssl.modalities.sensor.modality import SensorModality
from streamssl.results import Decisions, Results
from streamssl.stream_learner import StreamLearner
from streamssl.stream_learner.model import StreamModel
from streamssl.stream_learner.results import concat_results
from tests.stream_learner.streams import small_learner, stream

COLUMNS = ("raw", "p_value", "score", "anomaly", "top_field", "embedding_BD", "warming")


def assert_same(one: Results, other: Results) -> None:
    """Equal to the last bit."""
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name, column in one.raw_scores.items():
        np.testing.assert_array_equal(column, other.raw_scores[name], err_msg=name)
    assert one.incident_id == other.incident_id
    np.testing.assert_array_equal(one.attribution_AC, other.attribution_AC)


def run_cut(learner: StreamLearner, batch: EventBatch, cuts: list[int]) -> Results:
    """Advance a batch in pieces of the given sizes, closing epochs by count alone."""
    done, parts, turn = 0, [], 0
    while done < len(batch):
        room = learner.target() - learner.num_open_events
        size = min(cuts[turn % len(cuts)], room)
        parts.append(learner.advance(batch.take(slice(done, done + size))))
        done, turn = done + size, turn + 1
        if learner.num_open_events >= learner.target():
            learner.close_epoch(Decisions("count"))
    return concat_results(parts)


WHOLE = stream(700)


@pytest.fixture(scope="module")
def whole() -> tuple[Results, int, int]:
    """The reference run: the stream in one piece."""
    learner = small_learner()
    results = learner.process(WHOLE)
    return results, learner.state_crc32c(), learner.weights_digest()


@settings(max_examples=6, deadline=None)
@given(cuts=st.lists(st.integers(1, 90), min_size=1, max_size=6))
def test_cuts_change_no_bit(whole: tuple[Results, int, int], cuts: list[int]) -> None:
    """Any cut of the same events into polls gives the same scores and the same state."""
    learner = small_learner()
    assert_same(run_cut(learner, WHOLE, cuts), whole[0])
    assert (learner.state_crc32c(), learner.weights_digest()) == whole[1:]


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1000))
def test_interleaving_of_partitions_changes_no_bit(seed: int) -> None:
    """Within an epoch, the order in which partitions are polled does not matter."""
    batch = stream(64, num_keys=6, num_partitions=3, seed=seed)
    in_turn, shuffled = small_learner(), small_learner()
    by_partition = batch.take(np.argsort(batch.partition, kind="stable"))
    for learner, rows in ((in_turn, batch), (shuffled, by_partition)):
        for start in (0, 17, 40):
            stop = {0: 17, 17: 40, 40: 64}[start]
            learner.advance(rows.take(slice(start, stop)))
        learner.close_epoch(Decisions("clock"))
    probe = stream(32, num_keys=6, num_partitions=3, seed=seed + 1)
    assert_same(in_turn.score(probe), shuffled.score(probe))
    assert in_turn.state_crc32c() == shuffled.state_crc32c()


@settings(max_examples=5, deadline=None)
@given(first=st.integers(0, 699), channel=st.integers(0, 2), value=st.floats(-1e6, 1e6, width=32))
def test_the_future_changes_no_past_score(
    whole: tuple[Results, int, int], first: int, channel: int, value: float
) -> None:
    """Prequential: changing an event changes no score before it."""
    changed = WHOLE.take(slice(None))
    changed.values_BC[first, channel] = value
    results = small_learner().process(changed)
    for name in ("raw", "p_value", "embedding_BD"):
        np.testing.assert_array_equal(
            getattr(results, name)[:first], getattr(whole[0], name)[:first], err_msg=name
        )


@pytest.mark.parametrize("num_epochs", [1, 4, 9])
def test_resuming_at_an_epoch_changes_no_bit(tmp_path: Path, num_epochs: int) -> None:
    """Saving at an epoch's end and going on from the file equals going on."""
    learner, done = small_learner(), 0
    for _ in range(num_epochs):
        size = learner.target()
        learner.process(WHOLE.take(slice(done, done + size)))
        done += size
    learner.save(tmp_path)
    resumed = small_learner()
    resumed.load(tmp_path)
    rest = WHOLE.take(slice(done, None))
    assert_same(resumed.process(rest), learner.process(rest))
    assert resumed.state_crc32c() == learner.state_crc32c()
    assert resumed.weights_digest() == learner.weights_digest()


def test_score_and_embed_change_nothing() -> None:
    """The reading verbs leave the learner as it was, unknown keys included."""
    read, plain = small_learner(), small_learner()
    probe = stream(50, num_keys=9, seed=3)
    for learner in (read, plain):
        learner.process(WHOLE.take(slice(0, 300)))
    first = read.score(probe)
    np.testing.assert_array_equal(read.embed(probe), first.embedding_BD)
    assert_same(read.score(probe), first)
    rest = WHOLE.take(slice(300, None))
    assert_same(read.process(rest), plain.process(rest))


def test_learn_takes_the_open_tail_too() -> None:
    """`learn` leaves no open epoch; the model has learned every event it was given."""
    learner = small_learner()
    learner.learn(WHOLE.take(slice(0, 100)))
    assert learner.num_open_events == 0
    assert learner.epoch > 1


def test_discarded_rows_leave_no_trace() -> None:
    """Rows that were never committed are not learned, and their keys are forgotten."""
    rows = stream(40, num_keys=4, num_partitions=2)
    committed = rows.take(np.flatnonzero((rows.partition == 0) | (rows.offset < 5)))
    extra = rows.take(np.flatnonzero((rows.partition == 1) & (rows.offset >= 5)))
    with_extra, without = small_learner(), small_learner()
    with_extra.advance(committed)
    with_extra.advance(extra)
    with_extra.discard(1, 5)
    without.advance(committed)
    for learner in (with_extra, without):
        learner.close_epoch(Decisions("clock"))
        learner.rebuild(1, None)
    probe = stream(30, num_keys=4, num_partitions=2, seed=9)
    assert_same(with_extra.score(probe), without.score(probe))


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
        np.testing.assert_array_equal(
            windows_of(moved._model.modality)[slot], windows_of(learner._model.modality)[other]
        )


def windows_of(modality: Modality) -> Float32Array:
    """The raw windows of every key."""
    assert isinstance(modality, SensorModality)
    return modality.context.columns["window"]


@pytest.mark.parametrize(
    ("num_channels", "num_keys"), [(1, 1), (2, 20), (60, 1)], ids=["one", "keys", "wide"]
)
def test_odd_shapes(num_channels: int, num_keys: int) -> None:
    """One channel, many keys and long vectors all give finite scores for every event."""
    batch = stream(200, num_channels=num_channels, num_keys=num_keys)
    results = small_learner().process(batch)
    assert np.isfinite(results.raw).all()
    assert ((results.p_value > 0) & (results.p_value <= 1)).all()
    assert results.embedding_BD.shape == (200, 4)


def test_constant_and_missing_channels() -> None:
    """A constant channel and one that is never seen are no reason to fail or to alert."""
    batch = stream(400, num_channels=4, missing=0.0)
    batch.values_BC[:, 1] = 7.0
    batch.values_BC[:, 2] = np.nan
    results = small_learner().process(batch)
    assert np.isfinite(results.raw).all()
    assert not (results.top_field[results.explained] == 2).any()


def test_an_empty_batch_is_a_batch() -> None:
    """No events: no rows, no change."""
    learner = small_learner()
    assert len(learner.process(WHOLE.take(slice(0, 0))).batch) == 0
    assert learner.num_open_events == 0


def test_keys_are_bounded() -> None:
    """At most `max_keys` keys live on after an epoch; the least recent go first."""
    learner = small_learner(modality={"window": 8, "max_keys": 5})
    batch = stream(500, num_keys=40)
    learner.process(batch)
    learner.close_epoch(Decisions("end"))
    assert learner._model is not None
    assert len(learner._model.keys) == 5
    recent = set(batch.keys.to_pylist()[-StreamModel.FIRST_EPOCH :])
    assert {key for _, key in learner._model.keys.held()} <= recent


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("keys", pa.array([None] * 4, pa.string()), "without nulls"),
        ("keys", ["k"] * 4, "StringArray"),
        ("event_time", np.zeros(3), "event_time must have 4 rows"),
        ("values_BC", np.zeros((3, 3), np.float32), "values_BC"),
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
        {"scorers": {"gaussian": {"max_features": 8}}},
        {"scorers": {"residual": {"next_step": True}}},
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
    long = stream(60_000, num_partitions=1)
    tracemalloc.start()
    whole.rebuild(0, long)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    steps = 33  # of context for 3 channels
    assert peak < 60_000 * steps * 3 * 4 / 2  # half of its windows alone, were they made at once
