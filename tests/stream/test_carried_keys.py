"""What was learnt of a key elsewhere goes on under its name, whatever partition brings it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from streamssl.data.events import EventBatch
from streamssl.data.results import NEW, Decisions
from streamssl.stream import StreamLearner
from tests.stream.runs import assert_same, run_cut
from tests.stream.streams import batch_of, small_learner

WINDOW = 8
NUM_ROWS = 1_500


def noise(num_rows: int, key: Any, *, seed: int, num_partitions: int = 1) -> EventBatch:
    values = np.random.default_rng(seed).normal(size=(num_rows, 2))
    return batch_of(values, np.resize(key, num_rows), num_partitions)


@cache
def trained_state() -> dict[str, Any]:
    """Of a replay: three keys, all in partition 0; two of them have entries of their own."""
    learner = small_learner()
    learner.learn(noise(NUM_ROWS, [0, 1, 2], seed=0))
    return learner.state_dict()


def carried() -> StreamLearner:
    learner = small_learner()
    learner.load_state_dict(trained_state())
    assert learner.carry_keys() == 3
    return learner


def warming(learner: StreamLearner, batch: EventBatch) -> dict[str, int]:
    """How many events of each key are warming."""
    warming_B = learner.process(batch).warming == NEW
    keys = np.array(batch.keys.to_pylist())
    return {key: int(warming_B[keys == key].sum()) for key in np.unique(keys).tolist()}


def test_keys_of_the_same_names_are_warming_for_one_window_only() -> None:
    """In other partitions than before; a key that was not learnt warms up as ever."""
    batch = noise(400, [0, 1, 2, 3], seed=1, num_partitions=4)
    fresh = noise(100, [3], seed=1)
    expected = {"k0": WINDOW, "k1": WINDOW, "k2": WINDOW, "k3": 100}
    assert warming(carried(), batch) == expected
    assert warming(small_learner(), fresh) == {"k3": 100}


def test_without_carrying_a_key_of_another_partition_is_unknown() -> None:
    """Loading takes over the state as it is: (partition, key) names a key."""
    learner = small_learner()
    learner.load_state_dict(trained_state())
    batch = noise(100, [1], seed=1, num_partitions=4)
    assert warming(learner, batch) == {"k1": 100}


@pytest.mark.parametrize("cuts", [[7], [64, 1], [500]])
def test_how_rows_are_cut_changes_no_bit(cuts: list[int]) -> None:
    """Also where two partitions bring the same name: both go on from what was carried."""
    batch = noise(300, [0, 1, 2], seed=2)
    batch = replace(batch, partition=np.arange(300) % 2, offset=np.arange(300) // 2)
    whole, cut = carried(), carried()
    assert_same(run_cut(whole, batch, [32]), run_cut(cut, batch, cuts))
    assert whole.state_crc32c() == cut.state_crc32c()


def test_a_key_keeps_its_entry_and_nobody_else_has_it() -> None:
    """The first in order of two partitions goes on with the covariances, the other with all's."""
    learner = carried()
    own = learner._model.ensemble.own  # type: ignore[union-attr]
    assert sorted(own.columns["entry"].tolist()) == [0, 1, 2]
    batch = noise(300, [0, 1, 2], seed=2)
    learner.learn(replace(batch, partition=np.arange(300) % 2, offset=np.arange(300) // 2))
    slots = np.flatnonzero(own.columns["entry"])
    assert sorted(own.columns["entry"][slots].tolist()) == [1, 2]
    np.testing.assert_array_equal(own._owner_E[own.columns["entry"][slots]], slots)


def test_the_state_holds_what_nobody_has_brought_yet() -> None:
    """A checkpoint taken in between goes on as the learner that wrote it."""
    first = carried()
    first.learn(noise(64, [0], seed=3, num_partitions=4))
    second = small_learner()
    second.load_state_dict(first.state_dict())
    batch = noise(120, [1, 2], seed=4, num_partitions=4)
    assert_same(first.process(batch), second.process(batch))
    assert warming(second, noise(120, [1, 2], seed=5, num_partitions=4)) == {"k1": 0, "k2": 0}


def test_what_is_carried_is_dropped_once_it_goes_on_and_before_keys_that_live() -> None:
    """Memory stays within `modality.max_keys`; names that never come go first."""
    learner = small_learner(modality={"window": WINDOW, "max_keys": 2})
    learner.load_state_dict(trained_state())
    learner.carry_keys()
    model = learner._model
    assert model is not None
    learner.process(noise(32, [5, 0], seed=3, num_partitions=4))
    learner.close_epoch(Decisions("end"))
    assert set(model.keys.held()) == {(1, "k5"), (0, "k0")}


def test_scoring_leaves_what_is_carried_as_it_was() -> None:
    """`score` looks at a copy."""
    learner, untouched = carried(), carried()
    batch = noise(60, [0, 1], seed=3, num_partitions=4)
    learner.score(batch)
    assert_same(learner.process(batch), untouched.process(batch))


def test_no_incident_goes_on_in_another_stream() -> None:
    """One that was open ends with the stream that it was of."""
    learner = small_learner()
    learner.load_state_dict(trained_state())
    batch = noise(3, [0], seed=1)
    odd = replace(batch, values_BC=batch.values_BC + 50.0, offset=batch.offset + 9_000)
    assert learner.advance(odd).incident_id[-1] == "events/0/9000/0"
    learner.close_epoch(Decisions("end"))
    learner.carry_keys()
    results = learner.process(noise(40, [0], seed=4))
    assert set(results.incident_id[:WINDOW]) == {None}


def test_nothing_learnt_carries_nothing() -> None:
    """A learner without columns knows no key."""
    assert small_learner().carry_keys() == 0
