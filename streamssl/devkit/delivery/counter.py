"""The results' side of the count, and what both sides add up to.

N = offsets of a partition, S = messages of one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamssl.devkit.delivery.inputs import ACKNOWLEDGED, EXPIRED, UNREADABLE, Flags, InputLog
from streamssl.devkit.delivery.places import OffsetColumn, Place

# Which results a message has, one bit each.
_SCORED, _DEAD = 1, 2


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
                for offset in np.flatnonzero((input_N & ACKNOWLEDGED > 0) & (result_N == 0))
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
    acknowledged_N, expired_N = input_N & ACKNOWLEDGED > 0, input_N & EXPIRED > 0
    unreadable_N = input_N & UNREADABLE > 0
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
