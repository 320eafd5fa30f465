"""kafka-python repeats itself (ten lines a second while a transaction hangs): once is enough."""

from __future__ import annotations

import logging

from streamssl.telemetry.logs import Throttle

INTERVAL_S = 30.0


def throttle_client_logs() -> None:
    """Let each logger of kafka-python repeat a line every `INTERVAL_S` at most.

    Loggers are throttled one by one because a filter does not reach a logger's children; those
    that are throttled already stay as they are.
    """
    throttle = Throttle(interval_s=INTERVAL_S)
    for name in list(logging.root.manager.loggerDict):
        if name == "kafka" or name.startswith("kafka."):
            logger = logging.getLogger(name)
            if not any(isinstance(known, Throttle) for known in logger.filters):
                logger.addFilter(throttle)
