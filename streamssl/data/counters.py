"""Which numbers only count: rows, sequences, uptimes. They say when, not how a machine is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from streamssl.data.number_column import NumberColumn
from streamssl.data.schema import FloatArray

COUNTER_STEPS = 7
COUNTER_SHARE = 0.9
# A pattern of steps is one that was seen three times.
TIMES_SEEN = 3
# Noise is in order by a chance of 1 : 8!, as eight events of one partition would be.
LEAST_ORDER = math.lgamma(9.0)
# Numbers of the range that a counter's sample spans, to those that it has: of steps that are
# about the same; of steps that leap, in several partitions and in one of many; and under a name
# of a counter.
MOST_DENSE, MOST_LEAPING, MOST_ALONE, MOST_NAMED = 3.0, 16.0, 32.0, 64.0
_COUNTER_WORDS = frozenset(
    {"index", "idx", "row", "id", "seq", "sequence", "number", "unnamed", "counter", "seqno", "nr"}
)
_CLOCK_WORDS = frozenset({"uptime", "elapsed"})


def is_counter(column: NumberColumn) -> bool:
    """Whether a field counts rows or time: in even steps, or whole numbers that fill a range."""
    words, rising = column.words(), [steps for steps in _one_ways(column) if len(steps) > 1]
    is_named = bool(words & _COUNTER_WORDS)
    by_one = is_named and column.is_whole() and any((steps == 1).all() for steps in rising)
    if by_one or (words & _CLOCK_WORDS and rising):
        return True
    return moves_evenly(column) or _fills_a_range(column, is_named)


def moves_evenly(column: NumberColumn, least_steps: int = COUNTER_STEPS) -> bool:
    """Whether it goes one way by one and the same step, or by steps that repeat a pattern.

    A lost row or two are allowed: their step is the larger.
    """
    rounding = column.rounding()
    for groups in column.grouped_steps():
        steps_N = _one_way(np.concatenate([np.zeros(0), *groups]))
        if len(steps_N) < least_steps or steps_N.min() <= 4 * rounding:
            continue
        over_N = steps_N - np.median(steps_N)
        if (over_N >= -rounding).all() and (np.abs(over_N) <= rounding).mean() >= COUNTER_SHARE:
            return True
        if all(_is_pattern(of_group, rounding) for of_group in groups if len(of_group)):
            return True
    return False


def _one_ways(column: NumberColumn) -> list[FloatArray]:
    """Sizes of the steps within keys and within partitions, where they all go one way."""
    return [steps for steps in map(_one_way, column.steps()) if len(steps)]


def _one_way(steps_N: FloatArray) -> FloatArray:
    """The steps' sizes where all go the same way, nothing else."""
    is_one_way = (steps_N > 0).all() or (steps_N < 0).all()
    return np.abs(steps_N) if is_one_way else np.zeros(0)


def _is_pattern(steps_N: FloatArray, rounding: float) -> bool:
    periods = range(1, len(steps_N) // TIMES_SEEN + 1)
    return any((np.abs(steps_N[p:] - steps_N[:-p]) <= rounding).all() for p in periods)


def _fills_a_range(column: NumberColumn, is_named: bool) -> bool:
    """Distinct whole numbers that go one way in each partition, as one counter of all would."""
    values_N = column.values_N
    if not column.is_whole() or len(np.unique(values_N)) < len(values_N):
        return False
    _, groups = column.grouped_steps()
    steps_N = _one_way(np.concatenate([np.zeros(0), *groups]))
    if not len(steps_N) or sum(math.lgamma(len(group) + 2.0) for group in groups) < LEAST_ORDER:
        return False
    leaping = MOST_LEAPING if len(groups) > 1 else MOST_ALONE
    most = MOST_NAMED if is_named else leaping if _leap(groups) else MOST_DENSE
    return bool(np.ptp(values_N) + 1 <= most * len(values_N))


def _leap(groups: Sequence[FloatArray]) -> bool:
    """Whether neighbouring steps differ as they do where others took numbers in between."""
    changes_N = np.concatenate([np.abs(np.diff(steps)) for steps in groups])
    sizes_N = np.abs(np.concatenate(groups))
    return bool(len(changes_N) and changes_N.mean() >= sizes_N.mean() / 2)
