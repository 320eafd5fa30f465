"""The retry policy: how long a broker that does not answer is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from streamssl.transport.base import TransportUnavailableError
from streamssl.transport.kafka.failures import CLIENT_ERRORS, FATAL_ERRORS, remedy_of
from streamssl.transport.kafka.outage_log import OutageLog

T = TypeVar("T")

# Between attempts: from kafka-python's own default of `reconnect_backoff_ms` up to what a broker
# that is back may go unnoticed.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
# How often a wait looks for a stop and calls what must go on: well within the second between two
# heartbeats.
TURN_S = 0.05
# How long an unfinished commit may go on after a stop: less than half of `TimeoutStopSec` (25 s) in
# deploy/streamssl.service, since the last checkpoint is still to be written.
STOP_GRACE_S = 10.0


class StoppedError(TransportUnavailableError):
    """A stop was asked for while the broker did not answer; the next start settles the rest."""


def backoff_s() -> Iterator[float]:
    """Pauses between attempts, each twice the one before, without end.

    Example:
        >>> pauses_s = backoff_s()
        >>> [next(pauses_s) for _ in range(8)]
        [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    """
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


class RetryPolicy:
    """Retries with growing pauses, remembers the failure, ends when the process shall stop.

    Args:
        stopping: True from the moment that the process shall end.
        grace_s: How long an unfinished commit may go on after that.

    Attributes:
        current_failure: What is wrong with the broker now; empty while it answers.
    """

    def __init__(self, stopping: Callable[[], bool], grace_s: float = STOP_GRACE_S) -> None:
        self._stopping = stopping
        self._grace_s = grace_s
        self._stop_by: float | None = None
        self._deadline: float | None = None
        self._failed_at = float("-inf")
        self._outages = OutageLog()
        self.current_failure = ""

    def set_deadline(self, limit_s: float) -> None:
        """Give up after `limit_s` from now (a start; a running daemon goes on trying)."""
        self._deadline = time.monotonic() + limit_s

    def clear_deadline(self) -> None:
        """The start is over: from now on failures are waited out."""
        self._deadline = None

    def record_success(self) -> None:
        """The broker answered: whatever was wrong with it has passed."""
        self._outages.answered()
        self.current_failure = ""

    def record_failure(self, error: BaseException) -> None:
        """Something went wrong; `retry` or the caller goes on."""
        told = f"{type(error).__name__}: {error}"[:300]
        self._failed_at = time.monotonic()
        self._outages.failed(told)
        self.current_failure = told

    def record_or_raise(self, error: BaseException) -> None:
        """Record what waiting may mend.

        Raises:
            TransportUnavailableError: Waiting cannot mend it.
        """
        if isinstance(error, FATAL_ERRORS):
            raise TransportUnavailableError(remedy_of(error)) from error
        self.record_failure(error)

    def failed_within(self, seconds: float) -> bool:
        """True where a failure was recorded not longer ago than that."""
        return time.monotonic() - self._failed_at <= seconds

    def check_limits(self) -> None:
        """Return if waiting may go on.

        Raises:
            StoppedError: The process shall end, and its grace is used up.
            TransportUnavailableError: A start took too long.
        """
        now = time.monotonic()
        self._outages.turned()
        if self._stopping() and self._stop_by is None:
            self._stop_by = now + self._grace_s
        failure = self.current_failure or "no error was reported"
        if self._stop_by is not None and now > self._stop_by:
            raise StoppedError(f"stopped while the broker did not answer ({failure})")
        if self._deadline is not None and now > self._deadline:
            raise TransportUnavailableError(
                f"the broker did not answer in time ({failure}); "
                "check kafka.bootstrap_servers and the network, and that its port speaks "
                "kafka.security_protocol (one without TLS hangs on SSL, one with TLS on "
                "PLAINTEXT) with the kafka.ssl_ settings given, or raise kafka.start_timeout_s"
            )

    def retry(self, call: Callable[[], T], meanwhile: Callable[[], None] = lambda: None) -> T:
        """What `call` returns, as often as it takes; `meanwhile` is called during the pauses.

        Raises:
            StoppedError: The process shall end.
            TransportUnavailableError: A start took too long, or waiting cannot mend it.
        """
        pauses_s = backoff_s()
        while True:
            try:
                result = call()
            except CLIENT_ERRORS as error:
                self.record_or_raise(error)
            else:
                self.record_success()
                return result
            self.wait(next(pauses_s), meanwhile)

    def wait(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Sleep in short turns; each checks the limits and calls `meanwhile`."""
        until = time.monotonic() + seconds
        while True:
            self.check_limits()
            meanwhile()
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, TURN_S))
