"""kafka-python repeats itself (ten lines a second while a transaction hangs): once is enough."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable


class OncePerInterval(logging.Filter):
    """Lets a message through once per interval, with the number that it kept back.

    Messages count as the same when their unformatted text and level are.
    """

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._interval_s = interval_s
        self._clock = clock
        self._last: dict[tuple[int, str], float] = {}
        self._kept_back: dict[tuple[int, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """True for the first of its kind within the interval."""
        kind = (record.levelno, str(record.msg)[:80])
        now = self._clock()
        if now - self._last.get(kind, -self._interval_s) < self._interval_s:
            self._kept_back[kind] = self._kept_back.get(kind, 0) + 1
            return False
        self._last[kind] = now
        if kept_back := self._kept_back.pop(kind, 0):
            record.msg = f"{record.getMessage()} ({kept_back} more like it were not logged)"
            record.args = None
        return True


def quieten(interval_s: float = 30.0) -> None:
    """Throttle every logger of kafka-python, once per process.

    Loggers are throttled one by one because a filter does not reach a logger's children.
    """
    throttle = OncePerInterval(interval_s)
    for name in list(logging.root.manager.loggerDict):
        if name == "kafka" or name.startswith("kafka."):
            logger = logging.getLogger(name)
            if not any(isinstance(known, OncePerInterval) for known in logger.filters):
                logger.addFilter(throttle)
