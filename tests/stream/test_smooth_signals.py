"""Smooth signals: what a person sees at a glance is flagged, though each value has been seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from streamssl.data.events import FloatArray
from tests.stream.ordinary import BUDGET, incidents, noise, run, seen, with_faults

STARTS = (6_000, 7_500, 9_000)
ROWS = 60


def waves(num_rows: int, bend: FloatArray, seed: int) -> FloatArray:
    """Three sines with a little noise; the phase of the first is bent."""
    period = np.array([60.0, 151.0, 333.0])
    phase = np.zeros((num_rows, 3))
    phase[:, 0] = bend
    turn = 2.0 * np.pi * np.arange(num_rows)[:, None] / period
    return np.sin(turn + phase) + 0.02 * noise(num_rows, seed=seed)


def stuck(x: FloatArray, start: int) -> None:
    """One value for a whole period."""
    x[start : start + ROWS, 0] = x[start, 0]


def louder(x: FloatArray, start: int) -> None:
    """A period of a larger amplitude."""
    x[start : start + ROWS, 0] *= 1.8


def moved(x: FloatArray, start: int) -> None:
    """A third of a period about another level."""
    x[start : start + ROWS // 3, 0] += 0.7


def spiked(x: FloatArray, start: int) -> None:
    """One value off."""
    x[start, 0] += 0.8


@pytest.mark.parametrize("fault", [stuck, louder, moved, spiked])
def test_a_fault_of_a_sine_is_flagged(fault: Callable[[FloatArray, int], None]) -> None:
    """Within what the channel has always been, but not when: every time, and nothing else is."""
    x = waves(10_000, np.zeros(10_000), seed=1)
    for start in STARTS:
        fault(x, start)
    results = run(x)
    assert seen(results, STARTS, 2 * ROWS) == [True] * 3
    assert incidents(results) <= 6


def test_a_jump_of_the_phase_is_flagged() -> None:
    """A quarter of a turn, for good, three times."""
    bend = np.zeros(10_000)
    for start in STARTS:
        bend[start:] += np.pi / 2.0
    results = run(waves(10_000, bend, seed=2))
    assert seen(results, STARTS, 2 * ROWS) == [True] * 3
    assert incidents(results) <= 6


@pytest.mark.parametrize("num_channels", [1, 3, 12])
def test_a_jump_of_a_walk_is_flagged(num_channels: int) -> None:
    """Twenty steps at once, in what wanders hundreds: every time, and its field is named."""
    num_rows, starts, channel = 10_000, [6_000, 7_500, 9_000], min(1, num_channels - 1)
    steps = np.random.default_rng(3).normal(size=(num_rows, num_channels))
    results = run(with_faults(np.cumsum(steps, axis=0), starts, 20.0, channel))
    assert seen(results, starts) == [True] * 3
    assert (results.top_field[starts] == channel).all()
    assert incidents(results) - 3 <= BUDGET * num_rows


def test_a_jump_of_a_trend_is_flagged() -> None:
    """A signal that climbs evenly, once a little higher: smaller than its way in 200 rows."""
    starts = (4_000, 6_500, 8_000)
    x = waves(9_000, np.zeros(9_000), seed=4)
    x[:, 2] = 0.01 * np.arange(9_000) + 0.002 * noise(9_000, seed=5)[:, 0]
    results = run(with_faults(x, starts, 1.5, channel=2))
    assert seen(results, starts) == [True] * 3
