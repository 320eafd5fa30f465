"""The input's side of the count: what the broker acknowledged.

N = offsets of a partition.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from streamssl.devkit.delivery.places import OffsetColumn

Flags = npt.NDArray[np.uint8]
# Told partition, offset and timestamp (seconds since 1970) of a record that the broker took.
Acknowledged = Callable[[int, int, float], None]

# What is known of a message, one bit each.
ACKNOWLEDGED, UNREADABLE, EXPIRED = 1, 2, 4


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
            bits = ACKNOWLEDGED if readable else ACKNOWLEDGED | UNREADABLE
            self._flags.upto(partition, offset + 1)[offset] |= bits
            self._ends[partition] = max(offset + 1, self._ends.get(partition, 0))
            self._num += 1

    def expire(self, partition: int, start: int, stop: int) -> None:
        """Messages that were deleted before they could be read: they need no result."""
        with self.lock:
            self._flags.upto(partition, stop)[start:] |= EXPIRED

    def ends(self) -> dict[int, int]:
        """The offset after the last message of each partition."""
        with self.lock:
            return dict(self._ends)

    def flags(self, partition: int, stop: int) -> Flags:
        """`[N]` what is known of the messages below an offset."""
        return self._flags.upto(partition, stop)
