"""A key that joins a mature fleet is judged soon and rarely wrongly; a key alone as ever."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from streamssl.data.events import EventBatch, FloatArray
from streamssl.data.results import BLENDED, NEW, OWN, Decisions, Results
from streamssl.stream import StreamLearner
from tests.stream.runs import assert_same, run_cut

NUM_KEYS, KNOWN, ROWS, SHIFT = 4, 1_000, 330, slice(100, 130)
SECTIONS: dict[str, Any] = {
    "learner": {"enabled": False},
    "scorers": {"residual": {"enabled": False}},
    "outputs": {"embeddings": {"enabled": False}},
    "alerts": {"neighbours": 0, "budget": 0.001},
    "learn": {"every": 512},
}


def machine(number: int, num_rows: int) -> FloatArray:
    """Four channels about levels of the machine's own, two of which go with the other two."""
    generator = np.random.default_rng(number)
    x = generator.normal(size=(num_rows, 4))
    x[:, 2:] = 0.3 * x[:, 2:] + x[:, :2]
    return x + generator.normal(scale=3.0, size=4)


def events(machines: list[FloatArray], first_row: int, names: list[str]) -> EventBatch:
    """Rows of machines that report in turn."""
    values = np.stack(machines, axis=1).reshape(-1, 4)
    offset = np.arange(len(values)) + first_row * NUM_KEYS
    zero = np.zeros(len(values), np.int64)
    return EventBatch(
        topic="plant",
        partition=zero,
        offset=offset,
        index=zero,
        keys=pa.array(names * len(machines[0])),
        event_time=offset.astype(np.float64),
        fields=("a", "b", "c", "d"),
        values_BC=values,
    )


@cache
def trained_state() -> dict[str, Any]:
    """Of a learner that knows four machines."""
    learner = StreamLearner.from_config(SECTIONS)
    known = [machine(number, KNOWN) for number in range(NUM_KEYS)]
    learner.process(events(known, 0, [f"m{number}" for number in range(NUM_KEYS)]))
    learner.close_epoch(Decisions("end"))
    return learner.state_dict()


def trained() -> StreamLearner:
    learner = StreamLearner.from_config(SECTIONS)
    learner.load_state_dict(trained_state())
    return learner


def joining(number: int, *, shifted: bool) -> EventBatch:
    """The machines go on, and a new one reports beside them."""
    known = [machine(number, KNOWN + ROWS)[KNOWN:] for number in range(NUM_KEYS)]
    new = machine(number, ROWS)
    if shifted:
        new[SHIFT, 0] += 5.0
    names = [*(f"m{known}" for known in range(NUM_KEYS)), "new"]
    return events([*known, new], KNOWN, names)


def of_the_new(results: Results) -> Results:
    return results.take(slice(NUM_KEYS, None, NUM_KEYS + 1))


@pytest.mark.parametrize("number", [10, 11, 12])
def test_a_newcomer_like_the_others_is_judged_from_its_50th_event(number: int) -> None:
    """It is `new`, then `blended`; at most 2 % of its rows alert, and a fault is found."""
    quiet = of_the_new(trained().process(joining(number, shifted=False)))
    assert (quiet.warming[:50] == NEW).all()
    assert (quiet.warming[50:] == BLENDED).all()
    assert quiet.anomaly.mean() <= 0.02
    faulty = of_the_new(trained().process(joining(number, shifted=True)))
    assert faulty.anomaly[SHIFT].any()
    assert np.median(faulty.raw[SHIFT]) > 1.5 * np.median(quiet.raw[SHIFT])


def test_keys_that_the_fleet_is_made_of_are_judged_by_their_own() -> None:
    """Whoever joins."""
    results = trained().process(joining(10, shifted=False))
    others = np.arange(len(results.batch)) % (NUM_KEYS + 1) < NUM_KEYS
    assert (results.warming[others] == OWN).all()


def test_a_key_alone_is_new_until_it_is_judged_by_its_own() -> None:
    """Nothing is blended where no fleet is."""
    learner = StreamLearner.from_config(SECTIONS)
    results = learner.process(events([machine(0, 1_400)], 0, ["m0"]))
    assert set(results.warming.tolist()) == {NEW, OWN}
    assert (np.diff(results.warming) >= 0).all()


def test_cuts_change_nothing_of_a_newcomer() -> None:
    """Any cut of the polls gives the same bits."""
    batch = joining(10, shifted=True).take(slice(0, 1_000))
    assert_same(*(run_cut(trained(), batch, cuts) for cuts in ([1_000], [1, 70, 7])))


def test_a_restored_newcomer_goes_on_bit_for_bit() -> None:
    """State taken between epochs while the key is blended."""
    batch = joining(10, shifted=True)
    learner, restored = trained(), StreamLearner.from_config(SECTIONS)
    learner.process(batch.take(slice(0, 600)))
    learner.close_epoch(Decisions("end"))
    restored.load_state_dict(learner.state_dict())
    rest = batch.take(slice(600, None))
    assert_same(learner.process(rest), restored.process(rest))


def test_a_state_of_before_newcomers_goes_on() -> None:
    """Its keys are no newcomers, and who joins then is once the fleet was looked at."""
    state = trained().state_dict()
    for part, name in (("modality", "newcomers"), ("ensemble", "calibration")):
        found = _find(state, part)
        found.pop(name) if part == "modality" else found[name].pop("first")
    learner = StreamLearner.from_config(SECTIONS)
    learner.load_state_dict(state)
    results = learner.process(joining(10, shifted=False).take(slice(0, 500)))
    assert (of_the_new(results).warming == NEW).all()


def _find(state: Any, name: str) -> Any:
    """The mapping of a name, wherever it is."""
    if name in state:
        return state[name]
    inner = [value for value in state.values() if isinstance(value, dict)]
    return next(found for value in inner if (found := _find(value, name)) is not None)
