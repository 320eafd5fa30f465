"""Outages of the broker in the log: one line where one begins, one where it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)

# What passes sooner (a coordinator that is being elected) is no outage.
LASTING_S = 1.0


class OutageLog:
    """Tells of failures that last, once, and of their end.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s: float | None = None
        self._is_told = False
        self._num_failures = 0
        self._failure = ""

    def failed(self, failure: str) -> None:
        """A request failed."""
        if self._began_s is None:
            self._began_s, self._is_told, self._num_failures = self._clock(), False, 0
        self._num_failures += 1
        self._failure = failure
        self.turned()

    def turned(self) -> None:
        """Time has passed: a failure that lasts is told now."""
        if self._began_s is None or self._is_told:
            return
        if self._clock() - self._began_s >= LASTING_S:
            self._is_told = True
            tell(log, "broker_away", error=self._failure)

    def answered(self) -> None:
        """A request succeeded: the outage is over, if there was one."""
        if self._began_s is not None and self._is_told:
            tell(
                log,
                "broker_back",
                seconds=round(self._clock() - self._began_s, 1),
                num_failures=self._num_failures,
                error=self._failure,
            )
        self._began_s = None
