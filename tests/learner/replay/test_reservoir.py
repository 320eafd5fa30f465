"""The reservoir's own promise: every window ever offered is held with the same probability."""

from __future__ import annotations

import numpy as np

from streamssl.learner.replay import Reservoir
from tests.learner.replay.test_contracts import SPEC, numbered

CAPACITY = 40


def reservoir() -> Reservoir:
    probe = Reservoir(spec=SPEC, max_bytes=0)
    return Reservoir(spec=SPEC, max_bytes=CAPACITY * probe.sample_bytes)


def held(memory: Reservoir) -> list[float]:
    times: list[float] = memory.state_dict()["event_time"].tolist()
    return times


def test_every_window_is_equally_likely_to_be_held() -> None:
    """Over 500 seeds each quarter of a 400-window stream, added in odd pieces, has its share."""
    counts = np.zeros(400)
    for seed in range(500):
        memory, generator = reservoir(), np.random.default_rng(seed)
        for start, count in [(0, 13), (13, 90), (103, 1), (104, 296)]:
            memory.add(*numbered(start, count), generator)
        counts[np.array(held(memory), dtype=int)] += 1
    expected = 500 * CAPACITY / 400
    quarters = counts.reshape(4, 100).mean(1)
    assert np.abs(quarters / expected - 1).max() < 0.05
    chi_square = ((counts - expected) ** 2 / (expected * (1 - CAPACITY / 400))).sum()
    assert 300 < chi_square < 510  # 400 degrees of freedom: mean 400, deviation 28


def test_one_by_one_fills_before_it_replaces() -> None:
    """Up to the capacity everything is held, in order."""
    memory, generator = reservoir(), np.random.default_rng(0)
    for start in range(CAPACITY):
        memory.add(*numbered(start, 1), generator)
    assert held(memory) == list(range(CAPACITY))


def test_the_last_offered_to_a_place_stays() -> None:
    """A place that two windows of one call compete for holds the later one, never a mixture."""
    memory, generator = reservoir(), np.random.default_rng(0)
    memory.add(*numbered(0, 2_000), generator)
    state = memory.state_dict()
    assert np.array_equal(
        state["inputs"]["numbers"][:, 0, 0].astype(np.float64), state["event_time"]
    )
    assert len(set(held(memory))) == CAPACITY


def test_a_smaller_budget_takes_over_what_fits() -> None:
    """A state of a larger reservoir loads into a smaller one within its budget."""
    memory = reservoir()
    memory.add(*numbered(0, 100), np.random.default_rng(0))
    smaller = Reservoir(spec=SPEC, max_bytes=10 * memory.sample_bytes)
    smaller.load_state_dict(memory.state_dict())
    assert len(smaller) == 10
