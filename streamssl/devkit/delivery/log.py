"""When messages were appended and their results received, beside the count of both.

N = offsets of a partition, S = messages of one call.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamssl.data.events import FloatArray
from streamssl.devkit.delivery.counter import DeliveryCounter
from streamssl.devkit.delivery.places import OffsetColumn


class DeliveryLog:
    """What a producer was acknowledged and a reader received, told from their own threads.

    Attributes:
        counter: How many of what.
        first_append_s: Earliest append, in seconds since 1970; infinite before the first.
        last_receipt_s: Latest receipt; minus infinite before the first.

    Example:
        >>> log = DeliveryLog()
        >>> log.produced(0, 0, append_s=10.0)
        >>> log.scored(0, [0], receipt_s=10.5)
        >>> log.latencies().tolist(), log.counter.num_lost()
        ([0.5], 0)
    """

    def __init__(self) -> None:
        self.counter = DeliveryCounter()
        self.first_append_s = float("inf")
        self.last_receipt_s = float("-inf")
        self._lock = self.counter.inputs.lock
        self._append_s = OffsetColumn(np.float64)
        self._receipt_s = OffsetColumn(np.float64)

    def produced(self, partition: int, offset: int, append_s: float) -> None:
        """The broker took a message; `append_s` is its record's timestamp."""
        with self._lock:
            self.counter.inputs.acknowledge(partition, offset)
            self._append_s.upto(partition, offset + 1)[offset] = append_s
            self.first_append_s = min(self.first_append_s, append_s)

    def scored(self, partition: int, offsets: Sequence[int], receipt_s: float) -> None:
        """The reader received the scores of these messages."""
        with self._lock:
            self.counter.scored(partition, offsets)
            self._received(partition, offsets, receipt_s)

    def dead_lettered(self, partition: int, offsets: Sequence[int], receipt_s: float) -> None:
        """The reader received the dead letters of these messages."""
        with self._lock:
            self.counter.dead_lettered(partition, offsets)
            self._received(partition, offsets, receipt_s)

    def latencies(self, last: int | None = None) -> FloatArray:
        """Seconds from append to first receipt, of the `last` offsets of each partition or of all.

        The last offset is the latest of which something was received.
        """
        with self._lock:
            stops = dict(self._receipt_s.ends)
            seconds = [self._seconds(partition, stop, last) for partition, stop in stops.items()]
        return np.concatenate([*seconds, np.empty(0)])

    def _received(self, partition: int, offsets: Sequence[int], receipt_s: float) -> None:
        offset_S = np.asarray(offsets, np.int64)
        receipt_N = self._receipt_s.upto(partition, max(offsets, default=-1) + 1)
        receipt_N[offset_S[receipt_N[offset_S] == 0.0]] = receipt_s
        self.last_receipt_s = max(self.last_receipt_s, receipt_s)

    def _seconds(self, partition: int, stop: int, last: int | None) -> FloatArray:
        start = 0 if last is None else max(stop - last, 0)
        append_N = self._append_s.upto(partition, stop)[start:]
        receipt_N = self._receipt_s.upto(partition, stop)[start:]
        return np.asarray((receipt_N - append_N)[(append_N > 0.0) & (receipt_N > 0.0)])
