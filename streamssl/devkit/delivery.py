"""What became of each produced event, by its place in the input: 18 bytes an event."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamssl.data.events import FloatArray

ROW = np.dtype([("append", np.float64), ("receipt", np.float64), ("seen", np.int16)])
ABSENT = np.array((np.nan, np.nan, 0), ROW)
DEAD = "dead_letters"
SCORED = "scored"


class Ledger:
    """Counts of produced, scored, dead-lettered, lost and repeated events.

    The producer's acknowledgements and the reader's records arrive on different threads and in
    any order; every question is answered from what has arrived so far.

    Example:
        >>> ledger = Ledger()
        >>> ledger.produced(0, 0, 10.0)
        >>> ledger.produced(0, 1, 10.1)
        >>> ledger.seen("scored", 0, [1], 10.2)
        >>> ledger.num_lost(), ledger.num_duplicated()
        (1, 0)
    """

    def __init__(self) -> None:
        self._rows: dict[int, npt.NDArray[np.void]] = {}
        self._lock = threading.Lock()
        self._num = {SCORED: 0, DEAD: 0}
        self.num_produced = 0
        self.first_append = float("inf")
        self.last_receipt = float("-inf")

    def produced(self, partition: int, offset: int, append_s: float) -> None:
        """The broker took an event at `offset`; `append_s` is its record's timestamp."""
        with self._lock:
            self._partition(partition, offset)["append"][offset] = append_s
            self.num_produced += 1
            self.first_append = min(self.first_append, append_s)

    def seen(self, outcome: str, partition: int, offsets: Sequence[int], receipt_s: float) -> None:
        """The reader received the results (`scored`) or the `dead_letters` of these events."""
        with self._lock:
            for offset in offsets:
                row = self._partition(partition, offset)[offset]
                if row["seen"] == 0:
                    row["receipt"] = receipt_s
                    self._num[outcome] += 1
                row["seen"] += 1
            self.last_receipt = max(self.last_receipt, receipt_s)

    @property
    def num_scored(self) -> int:
        """Distinct events with a result."""
        return self._num[SCORED]

    @property
    def num_dead_letters(self) -> int:
        """Distinct events that became a dead letter."""
        return self._num[DEAD]

    @property
    def num_seen(self) -> int:
        """Distinct events with either."""
        return self.num_scored + self.num_dead_letters

    def num_lost(self) -> int:
        """Events produced of which neither a result nor a dead letter was received."""
        with self._lock:
            return sum(
                int(np.sum(~np.isnan(rows["append"]) & (rows["seen"] == 0)))
                for rows in self._rows.values()
            )

    def num_duplicated(self) -> int:
        """Results and dead letters beyond the first of an event."""
        with self._lock:
            return sum(
                int(np.maximum(rows["seen"].astype(np.int64) - 1, 0).sum())
                for rows in self._rows.values()
            )

    def latencies(self, last: int | None = None) -> FloatArray:
        """Seconds from append to receipt, of the `last` offsets of each partition or of all."""
        with self._lock:
            columns = [
                rows["receipt"] - rows["append"]
                for rows in (self._newest(rows, last) for rows in self._rows.values())
            ]
        seconds = np.concatenate([*columns, np.empty(0)])
        return np.asarray(seconds[~np.isnan(seconds)])

    def _newest(self, rows: npt.NDArray[np.void], last: int | None) -> npt.NDArray[np.void]:
        if last is None:
            return rows
        stop = int(np.flatnonzero(rows["seen"])[-1]) + 1 if rows["seen"].any() else 0
        return rows[max(stop - last, 0) : stop]

    def _partition(self, partition: int, offset: int) -> npt.NDArray[np.void]:
        rows = self._rows.get(partition)
        if rows is None or offset >= len(rows):
            grown = np.full(max(2 * (offset + 1), 1024), ABSENT)
            grown[: 0 if rows is None else len(rows)] = grown[:0] if rows is None else rows
            self._rows[partition] = grown
        return self._rows[partition]
