"""How faulty readings look: shapes of one sensor's, and courses that a process fault takes.

Sizes are in standard deviations of a sensor's own noise.

Shape suffixes: L = readings of the fault.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamssl.data.events import FloatArray
from streamssl.demo.sensor.faults import SensorSegment

Course = Callable[[int, np.random.Generator], FloatArray]
_RIPPLE_ROWS, _SQUARE_ROWS, _HELD_ROWS, _MEAN_ROWS = 6, 16, 6, 16
_RAMP_ROWS = 12


def soon(num_rows: int, rng: np.random.Generator) -> FloatArray:  # noqa: ARG001 - a `Course`
    """Up to 1 within twelve rows."""
    return np.minimum(np.arange(1, num_rows + 1) / _RAMP_ROWS, 1.0)


def slowly(num_rows: int, rng: np.random.Generator) -> FloatArray:  # noqa: ARG001 - a `Course`
    """Up to 1 at the incident's end."""
    return np.linspace(0.0, 1.0, num_rows)


def rippling(num_rows: int, rng: np.random.Generator) -> FloatArray:
    """A sine of six rows a period."""
    phase = rng.uniform(0.0, 2 * np.pi)
    return np.asarray(np.sin(2 * np.pi * np.arange(num_rows) / _RIPPLE_ROWS + phase))


def rough(num_rows: int, rng: np.random.Generator) -> FloatArray:
    """White noise of deviation 1."""
    return rng.standard_normal(num_rows)


def steep(segment: SensorSegment) -> FloatArray:
    """Twice the distance from the level before: a wrong gain."""
    level = segment.past_D.mean()
    return np.asarray(level + 2.0 * (segment.healthy_L - level))


def coarse(segment: SensorSegment) -> FloatArray:
    """Rounded to steps of eight deviations."""
    step = 8.0 * segment.noise
    return np.asarray(np.round(segment.healthy_L / step) * step)


def ripple(segment: SensorSegment) -> FloatArray:
    """A sine of six deviations, six rows a period."""
    return segment.plus(6.0 * rippling(len(segment.healthy_L), segment.rng))


def square(segment: SensorSegment) -> FloatArray:
    """Seven deviations up for eight rows, then down for eight."""
    row_L = np.arange(len(segment.healthy_L))
    return segment.plus(7.0 * np.where(row_L % _SQUARE_ROWS < _SQUARE_ROWS // 2, 1.0, -1.0))


def saturated(segment: SensorSegment) -> FloatArray:
    """Never above the lower third of what it would read."""
    return np.minimum(segment.healthy_L, np.quantile(segment.healthy_L, 0.3))


def mirrored(segment: SensorSegment) -> FloatArray:
    """Up for down about the level before."""
    return np.asarray(2.0 * segment.past_D.mean() - segment.healthy_L)


def held(segment: SensorSegment) -> FloatArray:
    """A new reading every sixth row only."""
    return segment.healthy_L[np.arange(len(segment.healthy_L)) // _HELD_ROWS * _HELD_ROWS]


def sluggish(segment: SensorSegment) -> FloatArray:
    """A running mean over the last sixteen rows."""
    rows = np.concatenate([segment.past_D, segment.healthy_L])
    total = np.cumsum(np.append(0.0, rows))
    stop_L = np.arange(len(segment.past_D), len(rows)) + 1
    start_L = np.maximum(stop_L - _MEAN_ROWS, 0)
    return np.asarray((total[stop_L] - total[start_L]) / (stop_L - start_L))


def kick(segment: SensorSegment) -> FloatArray:
    """Fourteen deviations off at once, then back within thirty rows."""
    fading_L = np.exp(-np.arange(len(segment.healthy_L)) / 10.0)
    return segment.plus(14.0 * segment.side() * fading_L)


def loose(segment: SensorSegment) -> FloatArray:
    """Zero in a fifth of the rows, at random."""
    return np.where(segment.rng.random(len(segment.healthy_L)) < 0.2, 0.0, segment.healthy_L)
