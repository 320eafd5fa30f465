"""A broker in memory on which a test orders what shall go wrong."""

from __future__ import annotations

from collections import deque
from typing import Any, Literal

from streamssl.transport.base import Transaction, TransportUnavailableError
from streamssl.transport.memory import MemoryBroker
from streamssl.transport.memory.broker import OutcomeUnknownError

CommitFault = Literal["lost_before", "lost_after", "crash_before", "crash_after"]


class SimulatedCrashError(BaseException):
    """The process dies here. Not an `Exception`, as nothing may catch a kill -9."""


class FaultyBroker(MemoryBroker):
    """As `MemoryBroker`, until told otherwise."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._faults: deque[CommitFault | None] = deque()
        self._unavailable = ""

    def leave_hole(self, topic: str, partition: int, num_offsets: int = 1) -> None:
        """Use up offsets that hold no record, as commit markers and compaction do."""
        with self.lock:
            self._logs[topic, partition].end += num_offsets

    def fail_commits(self, *faults: CommitFault | None) -> None:
        """Say what happens to the next commits, in order; None: nothing.

        `lost_before` and `lost_after`: the answer is lost, before or after the transaction
        landed; `crash_before`, `crash_after`: the process dies there instead.
        """
        with self.lock:
            self._faults.extend(faults)

    def set_unavailable(self, reason: str) -> None:
        """Refuse to open from now on; an empty reason ends that."""
        with self.lock:
            self._unavailable = reason

    def move(self, app: str, topic: str, partition: int, instance: int) -> None:
        """Reassign a partition now; to its own holder: it leaves and comes back."""
        with self.lock:
            self._groups[app, topic].assign(partition, instance)
            self.lock.notify_all()

    def create_topic(self, topic: str) -> None:
        with self.lock:
            if self._unavailable:
                raise TransportUnavailableError(self._unavailable)
            super().create_topic(topic)

    def _land(self, app: str, topic: str, instance: int, transaction: Transaction) -> None:
        fault = self._faults.popleft() if self._faults else None
        if fault not in ("lost_before", "crash_before"):
            super()._land(app, topic, instance, transaction)
        if fault in ("crash_before", "crash_after"):
            raise SimulatedCrashError(fault)
        if fault is not None:
            raise OutcomeUnknownError(fault)
