"""The count that proves exactly-once: each acknowledged input message has one result.

It is for messages of one event each. A result names the place of its message, partition and
offset: a score in its id, a dead letter in its headers. Input and results take a byte a message
each, so that half an hour at full speed can be counted.

N = offsets of a partition, S = messages of one call.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Place = tuple[int, int]
Flags = npt.NDArray[np.uint8]

# Of an input message.
_ACKNOWLEDGED, _UNREADABLE, _EXPIRED = 1, 2, 4
# Of its results.
_SCORED, _DEAD = 1, 2
_LEAST_ROWS = 1_024


def place_of_id(event_id: str) -> Place:
    """Partition and offset of the message that an event id names.

    Example:
        >>> place_of_id("plant/events/3/1042/0")
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


class InputLog:
    """What the broker acknowledged of an input topic; any thread may tell.

    Attributes:
        lock: Held while it, or a count of its results, changes.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._flags = OffsetColumn(np.uint8)
        self._ends: dict[int, int] = {}
        self._num = 0

    def __len__(self) -> int:
        """Messages acknowledged."""
        return self._num

    def acknowledge(self, partition: int, offset: int, *, readable: bool = True) -> None:
        """The broker took a message; what cannot be read must become a dead letter."""
        with self.lock:
            bits = _ACKNOWLEDGED if readable else _ACKNOWLEDGED | _UNREADABLE
            self._flags.upto(partition, offset + 1)[offset] |= bits
            self._ends[partition] = max(offset + 1, self._ends.get(partition, 0))
            self._num += 1

    def expire(self, partition: int, start: int, stop: int) -> None:
        """Messages that were deleted before they could be read: they need no result."""
        with self.lock:
            self._flags.upto(partition, stop)[start:] |= _EXPIRED

    def ends(self) -> dict[int, int]:
        """The offset after the last message of each partition."""
        with self.lock:
            return dict(self._ends)

    def flags(self, partition: int, stop: int) -> Flags:
        """`[N]` what is known of the messages below an offset."""
        return self._flags.upto(partition, stop)


@dataclass(frozen=True, slots=True)
class DeliveryTally:
    """What became of the acknowledged input.

    Attributes:
        acknowledged: Messages that the broker took.
        scored: Of them, those with a score.
        dead_letters: Of them, those with a dead letter.
        lost: Messages with neither, but for those that were deleted unread.
        repeated: Results beyond the first of a message.
        foreign: Messages with results that nobody wrote.
        misjudged: Readable messages set aside, and unreadable ones scored.
        unread: Messages that were deleted unread, and have no result.
    """

    acknowledged: int
    scored: int
    dead_letters: int
    lost: int
    repeated: int
    foreign: int
    misjudged: int
    unread: int = 0

    @property
    def exact(self) -> bool:
        """Whether every message has one result, of the right kind."""
        return not (self.lost or self.repeated or self.foreign or self.misjudged)

    def __str__(self) -> str:
        unread = f", {self.unread:,} deleted unread" if self.unread else ""
        misjudged = f", {self.misjudged} misjudged" if self.misjudged else ""
        return (
            f"{self.acknowledged:,} in: {self.scored:,} scored, {self.dead_letters:,} dead letters"
            f"{unread}; {self.lost} lost, {self.repeated} repeated, {self.foreign} foreign"
            f"{misjudged}"
        )


class DeliveryCounter:
    """Counts what came of an input; results and acknowledgements may come in any order.

    Args:
        inputs: What was acknowledged; its own by default.

    Attributes:
        inputs: The same.
        num_scored: Distinct messages whose first result was a score.
        num_dead_letters: Distinct messages whose first result was a dead letter.
        num_repeated: Results beyond the first of a message.

    Example:
        >>> counter = DeliveryCounter()
        >>> for offset in range(3):
        ...     counter.inputs.acknowledge(0, offset, readable=offset != 2)
        >>> counter.scored(0, [0])
        >>> counter.dead_lettered(0, [2])
        >>> print(counter.tally())
        3 in: 1 scored, 1 dead letters; 1 lost, 0 repeated, 0 foreign
    """

    def __init__(self, inputs: InputLog | None = None) -> None:
        self.inputs = InputLog() if inputs is None else inputs
        self._flags = OffsetColumn(np.uint8)
        self.num_scored = 0
        self.num_dead_letters = 0
        self.num_repeated = 0

    def scored(self, partition: int, offsets: Sequence[int]) -> None:
        """A score was received of each of these messages."""
        with self.inputs.lock:
            self.num_scored += self._note(partition, offsets, _SCORED)

    def dead_lettered(self, partition: int, offsets: Sequence[int]) -> None:
        """A dead letter was received of each of these messages."""
        with self.inputs.lock:
            self.num_dead_letters += self._note(partition, offsets, _DEAD)

    @property
    def num_seen(self) -> int:
        """Distinct messages with a result."""
        return self.num_scored + self.num_dead_letters

    @property
    def num_results(self) -> int:
        """Results, repeated ones included."""
        return self.num_seen + self.num_repeated

    def num_seen_from(self, starts: Mapping[int, int]) -> int:
        """Distinct messages with a result, from an offset of each partition on."""
        with self.inputs.lock:
            return sum(
                int(np.count_nonzero(result_N[starts.get(partition, 0) :]))
                for partition, _, result_N in self._flags_of_each()
            )

    def num_lost(self) -> int:
        """Messages acknowledged, not deleted unread, of which no result was received."""
        return self.tally().lost

    def unanswered(self) -> set[Place]:
        """Places of the messages acknowledged without a result, deleted ones included."""
        with self.inputs.lock:
            return {
                (partition, int(offset))
                for partition, input_N, result_N in self._flags_of_each()
                for offset in np.flatnonzero((input_N & _ACKNOWLEDGED > 0) & (result_N == 0))
            }

    def tally(self) -> DeliveryTally:
        """The count of everything so far."""
        counts = np.zeros(7, np.int64)
        with self.inputs.lock:
            for _, input_N, result_N in self._flags_of_each():
                counts += _counts(input_N, result_N)
            acknowledged, scored, dead, lost, foreign, misjudged, unread = counts.tolist()
            repeated = self.num_repeated
        return DeliveryTally(acknowledged, scored, dead, lost, repeated, foreign, misjudged, unread)

    def _note(self, partition: int, offsets: Sequence[int], bit: int) -> int:
        """Set a bit of each message; how many of them had no result yet."""
        offset_S = np.unique(np.asarray(offsets, np.int64))
        if not len(offset_S):
            return 0
        flags_N = self._flags.upto(partition, int(offset_S[-1]) + 1)
        num_first = int(np.count_nonzero(flags_N[offset_S] == 0))
        flags_N[offset_S] |= bit
        self.num_repeated += len(offsets) - num_first
        return num_first

    def _flags_of_each(self) -> Iterator[tuple[int, Flags, Flags]]:
        """Partition, flags of its messages and of their results, equally many."""
        stops = self.inputs.ends()
        for partition, end in self._flags.ends.items():
            stops[partition] = max(end, stops.get(partition, 0))
        for partition, stop in stops.items():
            yield partition, self.inputs.flags(partition, stop), self._flags.upto(partition, stop)


def _counts(input_N: Flags, result_N: Flags) -> npt.NDArray[np.int64]:
    """What `DeliveryTally` counts in one partition, but for repeats."""
    acknowledged_N, expired_N = input_N & _ACKNOWLEDGED > 0, input_N & _EXPIRED > 0
    unreadable_N = input_N & _UNREADABLE > 0
    scored_N, dead_N, seen_N = result_N & _SCORED > 0, result_N & _DEAD > 0, result_N > 0
    wrong_N = np.where(unreadable_N, scored_N, dead_N)
    columns = (
        acknowledged_N,
        acknowledged_N & scored_N,
        acknowledged_N & dead_N,
        acknowledged_N & ~expired_N & ~seen_N,
        ~acknowledged_N & seen_N,
        acknowledged_N & wrong_N,
        expired_N & ~seen_N,
    )
    return np.array([np.count_nonzero(column_N) for column_N in columns], np.int64)
