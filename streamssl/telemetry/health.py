"""The daemon's lifecycle, and what probes report of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)

STATES = ("starting", "recovering", "warming", "running", "draining", "degraded")
_PHASES = frozenset(STATES) - {"degraded"}
_NOT_READY = frozenset({"starting", "recovering", "draining"})
_NOT_STARTED = frozenset({"starting", "recovering"})
# States of normal work: a problem shows as `degraded` instead.
_WORKING = frozenset({"warming", "running"})


class Health:
    """The state of the loop, as the loop reports it; read by the HTTP server's threads.

    Args:
        max_silence_s: Without a `beat` for so long the loop counts as stuck.
        clock: Seconds that only grow.

    Example:
        >>> health = Health()
        >>> health.enter("running")
        >>> health.degrade("missed", "partition 0: [10, 20) expired")
        >>> health.state
        'degraded'
    """

    def __init__(
        self, *, max_silence_s: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_silence_s = max_silence_s
        self._clock = clock
        self._lock = threading.Lock()
        self._phase = "starting"
        self._started = False
        self._reasons: dict[str, str] = {}
        self._broker_away: str | None = None
        self._fatal: str | None = None
        self._drain_requested = False
        self._beat_s = clock()

    def enter(self, phase: str) -> None:
        """Go to another phase of the lifecycle (any of `STATES` but `degraded`)."""
        assert phase in _PHASES, phase
        with self._lock:
            self._phase = phase
            self._started |= phase not in _NOT_STARTED and phase != "draining"
            self._beat_s = self._clock()

    def beat(self) -> None:
        """The loop turned once more."""
        self._beat_s = self._clock()

    def degrade(self, name: str, reason: str) -> None:
        """Add a problem, which shows as `degraded`; one of the same name is replaced."""
        with self._lock:
            is_new = name not in self._reasons
            self._reasons[name] = reason
        if is_new:
            tell(log, "degraded", problem=name, reason=reason)

    def restore(self, name: str) -> None:
        """Remove a problem that is over (or never was)."""
        with self._lock:
            was_there = self._reasons.pop(name, None) is not None
        if was_there:
            tell(log, "mended", problem=name)

    def broker_away(self, reason: str) -> None:
        """The broker cannot be reached: not ready until `broker_back`."""
        self._broker_away = reason

    def broker_back(self) -> None:
        """The broker answers again."""
        self._broker_away = None

    @property
    def broker_reachable(self) -> bool:
        """Whether the broker answered when it was asked last; False before it ever did."""
        return self._broker_away is None and self._phase != "starting"

    def drain(self) -> None:
        """Asked to drain: not ready from now on; takes no lock, for it is called by a signal."""
        self._drain_requested = True

    def fail(self, reason: str) -> None:
        """A fatal error: the process is about to end, and must not live on."""
        self._fatal = reason

    @property
    def state(self) -> str:
        """The phase, or `degraded` where there are problems."""
        with self._lock:
            return "degraded" if self._reasons and self._phase in _WORKING else self._phase

    def live(self) -> list[str]:
        """Why the process should be killed; empty while it should not."""
        silent_s = self._clock() - self._beat_s
        reasons = [self._fatal] if self._fatal else []
        # A drain ends by itself and has a time-out of its own.
        if silent_s > self._max_silence_s and self._phase != "draining":
            reasons.append(f"the loop has not turned for {silent_s:.0f} s")
        return reasons

    def ready(self) -> list[str]:
        """Why events are not being processed now; empty while they are."""
        reasons = self.live()
        if self._phase in _NOT_READY:
            reasons.append(self._phase)
        elif self._drain_requested:
            reasons.append("draining")
        if self._broker_away:
            reasons.append(f"broker away: {self._broker_away}")
        return reasons

    def startup(self) -> list[str]:
        """Why the start is not over; empty once the state was recovered."""
        return [self._fatal] if self._fatal else [] if self._started else [self._phase]

    def status(self) -> dict[str, Any]:
        """State, problems and probes as one document, for `/status`."""
        with self._lock:
            reasons = dict(self._reasons)
        return {
            "state": self.state,
            "reasons": reasons,
            "live": not self.live(),
            "ready": not self.ready(),
            "not_ready_because": self.ready(),
        }
