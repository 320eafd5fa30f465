"""What holds of every kind of stream, however it comes: bits, prequential scoring, resuming."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.data.events import EventBatch
from streamssl.data.results import NEW, Decisions, Results
from streamssl.stream import StreamLearner
from streamssl.stream.model import StreamModel
from tests.modalities.examples import EXAMPLES, Example, every_modality
from tests.stream.runs import assert_same, run_cut

LENGTH = 700


def new(example: Example) -> StreamLearner:
    """A learner of the example's kind that has seen nothing."""
    return StreamLearner(example.config())


@cache
def events_of(kind: str) -> EventBatch:
    """The stream that most tests take: two keys a partition."""
    return EXAMPLES[kind].batch(LENGTH, num_keys=4, num_partitions=2)


@cache
def run_of(kind: str) -> tuple[Results, int, int]:
    """The reference run: the stream in one piece."""
    learner = new(EXAMPLES[kind])
    results = learner.process(events_of(kind))
    return results, learner.state_crc32c(), learner.weights_digest()


@every_modality
def test_keys_are_warming_until_all_of_them_can_be_anomalous(example: Example) -> None:
    """What an epoch's report counts is what the next events say of themselves."""
    learner, batch = new(example), events_of(example.kind)
    for start in range(0, LENGTH, 50):
        piece = batch.take(slice(start, start + 50))
        results = learner.advance(piece)
        report = learner.close_epoch(Decisions("count"))
        assert report.keys_active == 4
        if (results.warming != NEW).all():
            assert report.keys_warming == 0
    later = learner.score(batch.take(slice(0, 50)))
    assert (later.warming == NEW).any() == (report.keys_warming > 0)


@every_modality
@settings(max_examples=5, deadline=None)
@given(cuts=st.lists(st.integers(1, 90), min_size=1, max_size=6))
def test_cuts_change_no_bit(example: Example, cuts: list[int]) -> None:
    """Any cut of the same events into polls gives the same scores and the same state."""
    learner, whole = new(example), run_of(example.kind)
    assert_same(run_cut(learner, events_of(example.kind), cuts), whole[0])
    assert (learner.state_crc32c(), learner.weights_digest()) == whole[1:]


@every_modality
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000))
def test_interleaving_of_partitions_changes_no_bit(example: Example, seed: int) -> None:
    """Within an epoch, the order in which partitions are polled does not matter."""
    batch = example.batch(64, num_keys=6, num_partitions=3, seed=seed)
    in_turn, shuffled = new(example), new(example)
    by_partition = batch.take(np.argsort(batch.partition, kind="stable"))
    for learner, rows in ((in_turn, batch), (shuffled, by_partition)):
        for start, stop in ((0, 17), (17, 40), (40, 64)):
            learner.advance(rows.take(slice(start, stop)))
        learner.close_epoch(Decisions("clock"))
    probe = example.batch(32, num_keys=6, num_partitions=3, seed=seed + 1)
    assert_same(in_turn.score(probe), shuffled.score(probe))
    assert in_turn.state_crc32c() == shuffled.state_crc32c()


@every_modality
@settings(max_examples=4, deadline=None)
@given(first=st.integers(0, LENGTH - 1), part=st.integers(0, 2))
def test_the_future_changes_no_past_score(example: Example, first: int, part: int) -> None:
    """Prequential: changing an event changes no score before it."""
    changed = example.spoil(events_of(example.kind), np.array([first]), part)
    results, whole = new(example).process(changed), run_of(example.kind)[0]
    for name in ("raw", "p_value", "embedding_BD"):
        np.testing.assert_array_equal(
            getattr(results, name)[:first], getattr(whole, name)[:first], err_msg=name
        )


@every_modality
@pytest.mark.parametrize("num_epochs", [1, 4, 9])
def test_resuming_at_an_epoch_changes_no_bit(
    example: Example, tmp_path: Path, num_epochs: int
) -> None:
    """Saving at an epoch's end and going on from the file equals going on."""
    learner, done, batch = new(example), 0, events_of(example.kind)
    for _ in range(num_epochs):
        size = learner.target()
        learner.process(batch.take(slice(done, done + size)))
        done += size
    learner.save(tmp_path)
    resumed = new(example)
    resumed.load(tmp_path)
    rest = batch.take(slice(done, None))
    assert_same(resumed.process(rest), learner.process(rest))
    assert resumed.state_crc32c() == learner.state_crc32c()
    assert resumed.weights_digest() == learner.weights_digest()


@every_modality
def test_resuming_changes_no_bit_where_keys_come_and_go(example: Example, tmp_path: Path) -> None:
    """Statistics that go from one key to another begin as they would have."""
    sections = {
        "modality": {"max_keys": 4, "kind": example.kind, **example.section},
        "scorers": {"own_keys": 2, "residual": {"enabled": True, "weight": 0.5}},
    }
    learner, batch = StreamLearner(example.config(**sections)), example.batch(900, num_keys=9)
    for start in range(0, 900, 150):
        learner.save(tmp_path)
        resumed = StreamLearner(example.config(**sections))
        resumed.load(tmp_path)
        piece = batch.take(slice(start, start + 150))
        results = [one.process(piece) for one in (learner, resumed)]
        assert_same(*results)
        reports = [one.close_epoch(Decisions("end")) for one in (learner, resumed)]
        assert reports[0].keys_evicted == reports[1].keys_evicted
        assert learner.state_crc32c() == resumed.state_crc32c()
    assert reports[0].keys_active == 4


@every_modality
def test_score_and_embed_change_nothing(example: Example) -> None:
    """The reading verbs leave the learner as it was, unknown keys included."""
    read, plain, batch = new(example), new(example), events_of(example.kind)
    probe = example.batch(50, num_keys=9, seed=3)
    for learner in (read, plain):
        learner.process(batch.take(slice(0, 300)))
    first = read.score(probe)
    np.testing.assert_array_equal(read.embed(probe), first.embedding_BD)
    assert_same(read.score(probe), first)
    rest = batch.take(slice(300, None))
    assert_same(read.process(rest), plain.process(rest))


@every_modality
def test_learn_takes_the_open_tail_too(example: Example) -> None:
    """`learn` leaves no open epoch; the model has learned every event it was given."""
    learner = new(example)
    learner.learn(events_of(example.kind).take(slice(0, 100)))
    assert learner.num_open_events == 0
    assert learner.epoch > 1


@every_modality
def test_discarded_rows_leave_no_trace(example: Example) -> None:
    """Rows that were never committed are not learned, and their keys are forgotten."""
    rows = example.batch(40, num_keys=4, num_partitions=2)
    committed = rows.take(np.flatnonzero((rows.partition == 0) | (rows.offset < 5)))
    extra = rows.take(np.flatnonzero((rows.partition == 1) & (rows.offset >= 5)))
    with_extra, without = new(example), new(example)
    with_extra.advance(committed)
    with_extra.advance(extra)
    with_extra.discard(1, 5)
    without.advance(committed)
    for learner in (with_extra, without):
        learner.close_epoch(Decisions("clock"))
        learner.rebuild(1, None)
    probe = example.batch(30, num_keys=4, num_partitions=2, seed=9)
    assert_same(with_extra.score(probe), without.score(probe))


@every_modality
def test_an_empty_batch_is_a_batch(example: Example) -> None:
    """No events: no rows, no change."""
    learner = new(example)
    assert len(learner.process(events_of(example.kind).take(slice(0, 0))).batch) == 0
    assert learner.num_open_events == 0


@every_modality
def test_missing_and_huge_values_stay_finite(example: Example) -> None:
    """Whatever comes, every event has a finite score, a p-value and a finite embedding."""
    batch = example.missing(events_of(example.kind), np.arange(50, LENGTH, 31))
    results = new(example).process(example.huge(batch, np.arange(60, LENGTH, 37)))
    assert np.isfinite(results.raw).all()
    assert ((results.p_value > 0) & (results.p_value <= 1)).all()
    assert np.isfinite(results.embedding_BD).all()
    shares_AP = results.explanation.attribution_AP
    np.testing.assert_allclose(shares_AP.sum(1), 1.0)
    assert (shares_AP >= 0).all()


@every_modality
def test_memory_over_keys_is_bounded(example: Example) -> None:
    """At most `max_keys` keys live on after an epoch; the least recent go; columns stay small."""
    learner = StreamLearner(example.config(modality={"max_keys": 5, "kind": example.kind}))
    for seed in range(4):
        batch = example.batch(300, num_keys=40, seed=seed)
        learner.process(batch)
        learner.close_epoch(Decisions("end"))
        assert learner._model is not None
        keys = learner._model.keys
        assert len(keys) <= 5
        recent = set(batch.keys.to_pylist()[-StreamModel.FIRST_EPOCH :])
        assert {key for _, key in keys.held()} <= recent
        assert keys.columns.num_slots <= 5 + 64


@every_modality
def test_the_spoiled_part_is_blamed_in_the_users_units(example: Example) -> None:
    """Of single spoiled parts at least 80 % are on top; expected numbers are near what is usual."""
    learner = StreamLearner(example.config(alerts={"budget": 0.1}))
    batch = example.batch(1_400, num_keys=2, seed=8)
    learner.process(batch.take(slice(0, 1_000)))
    parts, rest = learner.score(batch.take(slice(0, 1))).parts, batch.take(slice(1_000, None))
    rows, blamed = np.arange(20, 400, 20), []
    for part in range(len(parts)):
        results = learner.score(example.spoil(rest, rows, part))
        found = np.flatnonzero(np.isin(results.explained, rows))
        assert len(found) >= 0.8 * len(rows), parts[part]
        blamed += (results.explanation.attribution_AP[found].argmax(1) == part).tolist()
        np.testing.assert_array_equal(
            results.top_field[results.explained],
            results.explanation.attribution_AP.argmax(1),
        )
        _check_units(results, rest, found)
    assert np.mean(blamed) >= 0.8


def _check_units(results: Results, usual: EventBatch, found: np.ndarray) -> None:
    """Expected numbers lie within the range of what is usual, in the input's own units."""
    expected = results.explanation.expected
    for column, name in enumerate(expected.fields):
        values = usual.values_BC[:, usual.fields.index(name)]
        low, high = np.nanmin(values), np.nanmax(values)
        room = 2.0 * (high - low)
        numbers = expected.numbers_AN[found, column]
        assert ((numbers > low - room) & (numbers < high + room)).all(), name
