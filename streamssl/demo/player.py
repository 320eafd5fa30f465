"""Plays a script into the input: the history as fast as it is taken, the rest in real time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from streamssl.demo.script import Block, Script
from streamssl.devkit.delivery import DeliveryCounter

Send = Callable[[bytes, bytes], None]

# History events that may be under way at once: enough to keep the daemon busy, few enough that
# none waits long, so that the history's latencies count like all others.
MAX_AHEAD = 256
HISTORY_TICKS = 16
LIVE_STEP_S = 0.02


class Player(threading.Thread):
    """A thread that sends every event of a script.

    Args:
        script: What to play.
        send: Takes (key, value) of one event.
        counter: Knows how much has come out.
        clock: Seconds, monotonic.
        live_s: Seconds of live play; None plays until `stop`.

    Attributes:
        live: True from the moment that the history has been played.
        error: What ended it early, None if nothing did.
    """

    def __init__(
        self,
        *,
        script: Script,
        send: Send,
        counter: DeliveryCounter,
        clock: Callable[[], float],
        live_s: float | None,
    ) -> None:
        super().__init__(name="player", daemon=True)
        self._script = script
        self._send = send
        self._counter = counter
        self._clock = clock
        self._live_s = live_s
        self._stopped = threading.Event()
        self._num_sent = 0
        self.live = False
        self.produced_until = float("-inf")
        self.error: Exception | None = None

    def stop(self) -> None:
        """Send no more; `join` waits for the event under way."""
        self._stopped.set()

    def run(self) -> None:
        """Play until the end, `stop` or an error."""
        try:
            self._play_history()
            if not self._stopped.is_set():
                self.live = True
                self._play_live()
        except Exception as error:
            self.error = error

    def _play_history(self) -> None:
        ticks = self._script.num_history_ticks
        while ticks > 0 and not self._stopped.is_set():
            if self._num_sent - self._counter.num_seen > MAX_AHEAD:
                self._stopped.wait(0.002)
                continue
            step = min(ticks, HISTORY_TICKS)
            self._play(self._script.advance(step))
            ticks -= step

    def _play_live(self) -> None:
        start, ticks = self._clock(), 0
        ticks_per_s = self._script.ticks_per_s
        last = None if self._live_s is None else round(self._live_s * ticks_per_s)
        while not self._stopped.is_set() and ticks != last:
            due = int((self._clock() - start) * ticks_per_s)
            due = due if last is None else min(due, last)
            if due > ticks:
                self._play(self._script.advance(due - ticks))
                ticks = due
            self._stopped.wait(LIVE_STEP_S)

    def _play(self, block: Block) -> None:
        for key, value in block.encoded():
            self._send(key, value)
        self._num_sent += len(block)
        self.produced_until = block.last_event_time
