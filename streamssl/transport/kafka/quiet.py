"""kafka-python repeats itself (ten lines a second while a transaction hangs): once is enough."""

from __future__ import annotations

import logging

from streamssl.telemetry.logs import Throttle

INTERVAL_S = 30.0


def quieten() -> None:
    """Throttle every logger of kafka-python, once per process.

    Loggers are throttled one by one because a filter does not reach a logger's children.
    """
    throttle = Throttle(interval_s=INTERVAL_S)
    for name in list(logging.root.manager.loggerDict):
        if name == "kafka" or name.startswith("kafka."):
            logger = logging.getLogger(name)
            if not any(isinstance(known, Throttle) for known in logger.filters):
                logger.addFilter(throttle)
