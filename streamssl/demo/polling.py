"""The threads that poll while the main thread draws: results, and the daemon's figures."""

from __future__ import annotations

import threading
from collections.abc import Callable

from streamssl.data.events import Message
from streamssl.demo.observer import Observer
from streamssl.demo.scene import Scene
from streamssl.demo.state import DaemonFigures, read_figures

POLL_S = 0.1
FIGURES_EVERY_S = 1.0


class ResultPoller(threading.Thread):
    """Hands every output record to the observer as soon as it arrives.

    Args:
        scene: Where records come from.
        observer: Takes them in.
        clock: Seconds since 1970, as record timestamps are.

    Attributes:
        error: What ended it early, None if nothing did.
    """

    def __init__(self, scene: Scene, observer: Observer, clock: Callable[[], float]) -> None:
        super().__init__(name="reader", daemon=True)
        self._scene = scene
        self._observer = observer
        self._clock = clock
        self._stopped = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Hand over what comes, until `stop` or an error."""
        try:
            while not self._stopped.is_set():
                self._take(self._scene.poll(POLL_S))
        except Exception as error:
            self.error = error

    def stop(self) -> None:
        """End the thread; what comes later can still be read by `drain`."""
        self._stopped.set()
        self.join()

    def drain(self, quiet_s: float) -> None:
        """Read on, from the calling thread, until nothing has come for `quiet_s`."""
        while self._take(self._scene.poll(quiet_s)):
            pass

    def _take(self, found: list[tuple[str, list[Message]]]) -> int:
        now = self._clock()
        for topic, messages in found:
            if topic == self._scene.scores_topic:
                self._observer.take_scores(messages, now)
            else:
                self._observer.take_dead_letters(messages, now)
        return len(found)


class MetricsPoller(threading.Thread):
    """Keeps the daemon's newest figures; asking may take a while and must not hold up a reader.

    Attributes:
        figures: The newest; the last known ones once the daemon answers no more.
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__(name="figures", daemon=True)
        self._scene = scene
        self._stopped = threading.Event()
        self.figures = DaemonFigures()

    def run(self) -> None:
        """Ask every second until `stop`."""
        while not self._stopped.wait(FIGURES_EVERY_S):
            self.refresh()

    def refresh(self) -> None:
        """Ask the daemon now, from whatever thread."""
        exposition = self._scene.exposition()
        if exposition:
            self.figures = read_figures(exposition, self._scene.replay_max_bytes)

    def stop(self) -> None:
        """End the thread; the figures stay."""
        self._stopped.set()
        self.join()
