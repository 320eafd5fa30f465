"""A broker that can be frozen and slowed down, beside being killed and restarted."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from kafka import KafkaAdminClient
from kafka.protocol.admin import AlterClientQuotasRequest

from benchmarks.chaos.freezing import Freezable
from benchmarks.chaos.source import CLIENT
from streamssl.devkit.broker import DevBroker

UNLIMITED = 10**12


class ChaosBroker(DevBroker, Freezable):
    """A real Kafka of one's own."""

    def shut_down(self) -> None:
        """End it in order; its data stay for `restart`."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop the broker where it stands: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, with all that was sent to it meanwhile."""
        self._signal(signal.SIGCONT)

    @contextmanager
    def slow_writes(self, bytes_per_s: float) -> Iterator[None]:
        """While the body runs, every client but the source may write so much and not more."""
        self._quota(bytes_per_s, remove=False)
        try:
            yield
        finally:
            self._quota(0.0, remove=True)

    def _quota(self, bytes_per_s: float, *, remove: bool) -> None:
        entries = [
            ([("client-id", client)], [("producer_byte_rate", float(rate), remove)])
            for client, rate in ((None, round(bytes_per_s)), (CLIENT, UNLIMITED))
        ]
        request = AlterClientQuotasRequest(entries=entries, validate_only=False)
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            answer = admin._manager.run(admin._manager.send, request)
        finally:
            admin.close()
        told = [(entry.error_code, entry.error_message) for entry in answer.entries]
        assert all(code == 0 for code, _ in told), told

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "not running"
        for child in psutil.Process(self._process.pid).children(recursive=True):
            if "java" in child.name():
                child.send_signal(number)
