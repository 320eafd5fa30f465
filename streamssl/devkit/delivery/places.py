"""Which message a result belongs to, and columns with one value for each message.

A result names the place of its message, partition and offset: a score in its id, a dead letter in
its headers.

N = offsets of a partition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Place = tuple[int, int]
_LEAST_ROWS = 1_024


def place_of_id(event_id: str) -> Place:
    """Partition and offset of the message that an event id names.

    Example:
        >>> place_of_id("plant/3/1042/0")
        (3, 1042)
    """
    _, partition, offset, _ = event_id.rsplit("/", 3)
    return int(partition), int(offset)


def place_of_dead_letter(headers: Iterable[tuple[str, bytes]]) -> Place:
    """Partition and offset of the message that became a dead letter with these headers."""
    origin = dict(headers)
    return int(origin["origin_partition"]), int(origin["origin_offset"])


def by_partition(places: Iterable[Place]) -> dict[int, list[int]]:
    """Offsets of each partition, in the order in which they came."""
    offsets = defaultdict[int, list[int]](list)
    for partition, offset in places:
        offsets[partition].append(offset)
    return offsets


class OffsetColumn:
    """One value for every offset of every partition; zero until it is set.

    Args:
        dtype: Of the values.

    Attributes:
        ends: The offset after the last one that was asked for, by partition.
    """

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self.ends: dict[int, int] = {}
        self._dtype = dtype
        self._columns: dict[int, npt.NDArray[Any]] = {}

    def upto(self, partition: int, stop: int) -> npt.NDArray[Any]:
        """`[N]` values of the offsets below `stop`, to be read and written."""
        self.ends[partition] = max(stop, self.ends.get(partition, 0))
        column = self._columns.get(partition)
        if column is None or stop > len(column):
            grown = np.zeros(max(2 * stop, _LEAST_ROWS), self._dtype)
            grown[: 0 if column is None else len(column)] = 0 if column is None else column
            self._columns[partition] = column = grown
        return column[:stop]
