"""How long to wait for a broker, and what to do meanwhile; nothing waits for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from kafka import errors

from streamssl.transport.base import TransportUnavailableError

T = TypeVar("T")
log = logging.getLogger(__name__)

# What kafka-python raises when the broker is away or a rebalance is under way.
TROUBLE = (errors.KafkaError, OSError, AssertionError)
# What waiting does not mend.
HOPELESS = (
    errors.AuthorizationError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.KafkaConfigurationError,
    errors.InvalidTransactionTimeoutError,
    errors.UnsupportedVersionError,
    errors.InvalidGroupIdError,
    errors.InvalidSessionTimeoutError,
    errors.InconsistentGroupProtocolError,
)
FIRST_PAUSE_S, LONGEST_PAUSE_S, TURN_S = 0.05, 2.0, 0.05


class StoppedError(TransportUnavailableError):
    """A stop was asked for while the broker did not answer; the next start settles the rest."""


class Patience:
    """Retries with growing pauses, remembers the trouble, ends when the process shall stop.

    Args:
        stopping: True from the moment that the process shall end.
        grace_s: How long an unfinished commit may go on after that.

    Attributes:
        trouble: What is wrong with the broker now; empty while it answers.
    """

    def __init__(self, stopping: Callable[[], bool], grace_s: float = 10.0) -> None:
        self._stopping = stopping
        self._grace_s = grace_s
        self._stop_by: float | None = None
        self._deadline: float | None = None
        self._noted_at = float("-inf")
        self.trouble = ""

    def begin(self, limit_s: float) -> None:
        """From now until `settled`, give up after `limit_s` (a start, not a running daemon)."""
        self._deadline = time.monotonic() + limit_s

    def settled(self) -> None:
        """The start is over: from now on trouble is waited out."""
        self._deadline = None

    def well(self) -> None:
        """The broker answered."""
        if self.trouble:
            log.warning("the broker answers again")
        self.trouble = ""

    def note(self, error: BaseException) -> None:
        """Something went wrong; `retry` or the caller goes on."""
        told = f"{type(error).__name__}: {error}"[:300]
        if not self.trouble:
            log.warning("trouble with the broker: %s", told)
        self.trouble = told
        self._noted_at = time.monotonic()

    def endure(self, error: BaseException) -> None:
        """Note what waiting may mend.

        Raises:
            TransportUnavailableError: Waiting cannot mend it.
        """
        if isinstance(error, HOPELESS):
            raise TransportUnavailableError(_refusal(error)) from error
        self.note(error)

    def troubled_within(self, seconds: float) -> bool:
        """True where something was noted not longer ago than that."""
        return time.monotonic() - self._noted_at <= seconds

    def check(self) -> None:
        """Return if waiting may go on.

        Raises:
            StoppedError: The process shall end, and its grace is used up.
            TransportUnavailableError: A start took too long.
        """
        now = time.monotonic()
        if self._stopping() and self._stop_by is None:
            self._stop_by = now + self._grace_s
        trouble = self.trouble or "no error was reported"
        if self._stop_by is not None and now > self._stop_by:
            raise StoppedError(f"stopped while the broker did not answer ({trouble})")
        if self._deadline is not None and now > self._deadline:
            raise TransportUnavailableError(
                f"the broker did not answer in time ({trouble}); "
                "check kafka.bootstrap_servers and the network, or raise kafka.start_timeout_s"
            )

    def retry(self, call: Callable[[], T], meanwhile: Callable[[], None] = lambda: None) -> T:
        """What `call` returns, as often as it takes.

        Raises:
            StoppedError: The process shall end.
            TransportUnavailableError: A start took too long, or waiting cannot mend it.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                result = call()
            except TROUBLE as error:
                self.endure(error)
            else:
                self.well()
                return result
            self.pause(pause_s, meanwhile)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def pause(self, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait, checking for a stop and keeping `meanwhile` turning."""
        until = time.monotonic() + seconds
        while True:
            self.check()
            meanwhile()
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, TURN_S))


def bounded(
    call: Callable[[], T], limit_s: float, meanwhile: Callable[[], None], patient_s: float = 1.0
) -> T:
    """What `call` returns if it ends within the limit; `meanwhile` turns after `patient_s`.

    A call that does not end is left to its thread, so it must hold only what is thrown away
    afterwards.

    Raises:
        KafkaTimeoutError: The limit passed.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # handed over to the caller's thread
            failure.append(error)
        done.set()

    threading.Thread(target=work, name="streamssl-kafka-call", daemon=True).start()
    deadline = time.monotonic() + limit_s
    done.wait(min(patient_s, limit_s))
    while not done.is_set():
        if time.monotonic() > deadline:
            raise errors.KafkaTimeoutError(f"a call to the broker did not end in {limit_s:.0f} s")
        meanwhile()
        done.wait(TURN_S)
    if failure:
        raise failure[0]
    return outcome[0]


def _refusal(error: BaseException) -> str:
    told = f"{type(error).__name__}: {error}"
    if isinstance(error, errors.InvalidSessionTimeoutError):
        return (
            f"the broker refuses kafka.session_timeout_ms ({told}); choose it between the "
            "broker's group.min.session.timeout.ms and group.max.session.timeout.ms"
        )
    if isinstance(error, errors.InvalidGroupIdError | errors.InconsistentGroupProtocolError):
        return (
            f"the consumer group named by app.name cannot be joined ({told}); another program "
            "uses it in another way: choose another app.name, or end that program"
        )
    return (
        f"the broker refuses ({told}); check the security settings in the section kafka, and that "
        "the user may read the input topic, write the output topics, use the consumer group and "
        "the transactional id (read, write, describe and, for outputs.create_topics, create)"
    )
