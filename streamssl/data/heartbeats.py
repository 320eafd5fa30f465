"""Which fields are of events that only say that a producer is there, and measure nothing."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import numpy as np

from streamssl.data.counters import moves_evenly
from streamssl.data.number_column import NumberColumn

MOST_SHARE = 1 / 3
# Fewer values are constant, or evenly apart in their order or in any, by themselves.
LEAST_SAME, LEAST_EVEN, LEAST_SPREAD = 2, 3, 4
# Noise is in order by a chance of 1 : 5!, as five events of one partition would be.
LEAST_ORDER = math.lgamma(6.0)
_COUNTER_WORDS = frozenset({"uptime", "elapsed", "seq", "sequence", "seqno", "counter"})


def heartbeat_fields(
    channels: Iterable[NumberColumn],
    *,
    others: Collection[int],
    num_events: int,
) -> list[str]:
    """Names of the channels that come only without what most events have, and measure nothing.

    They count, or are constant in events without anything that varies: a rarer kind of machine
    has a field that varies, and keeps what it has beside it.

    Args:
        channels: The fields that would be channels.
        others: Places of the events that have a text column: these are no heartbeats.
        num_events: Events that were sampled.
    """
    rows = {column: frozenset(column.row_N.tolist()) for column in channels}
    common = [of for of in rows.values() if 2 * len(of) > num_events]
    usual = frozenset(others).union(*common)
    if not common or num_events - len(usual) > MOST_SHARE * num_events:
        return []
    lone = {column: of for column, of in rows.items() if usual.isdisjoint(of)}
    counting = [column for column in lone if _counts(column)]
    constant = [column for column in lone if column not in counting and _is_constant(column)]
    varying = [of for column, of in lone.items() if column not in (*counting, *constant)]
    measuring = frozenset[int]().union(*varying)
    idle = [column for column in constant if measuring.isdisjoint(lone[column])]
    return [column.name for column in (*counting, *idle)]


def _is_constant(column: NumberColumn) -> bool:
    return len(column.values_N) >= LEAST_SAME and bool(np.ptp(column.values_N) == 0)


def _counts(column: NumberColumn) -> bool:
    """Whether few values count: by their name, evenly apart, or whole numbers in order."""
    if column.words() & _COUNTER_WORDS or moves_evenly(column, LEAST_EVEN - 1):
        return True
    _, groups = column.grouped_steps()
    if not any(all((sign * of > 0).all() for of in groups) for sign in (1, -1)):
        return False
    if column.is_whole() and sum(math.lgamma(len(of) + 2.0) for of in groups) >= LEAST_ORDER:
        return True
    steps_N = np.diff(np.sort(column.values_N))
    enough = len(steps_N) >= LEAST_SPREAD - 1 and steps_N.min() > 4 * column.rounding()
    return bool(enough and np.ptp(steps_N) <= 2 * column.rounding())
