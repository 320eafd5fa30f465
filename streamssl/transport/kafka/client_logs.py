"""kafka-python's own log lines, of which an outage makes hundreds: they are for debugging.

What an operator has to know, the transport tells itself: one line an outage and one its end.
"""

from __future__ import annotations

import logging

_CLIENT = "kafka"
_OURS = "streamssl"


class _ForDebugging(logging.Handler):
    """Passes the client's lines on as lines of level DEBUG, where those are wanted."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record to the root's handlers, or drop it."""
        if logging.getLogger(_OURS).isEnabledFor(logging.DEBUG):
            record.levelno, record.levelname = logging.DEBUG, logging.getLevelName(logging.DEBUG)
            logging.getLogger().handle(record)


def demote_client_logs() -> None:
    """Make every line of kafka-python one of level DEBUG, those of later loggers too."""
    logger = logging.getLogger(_CLIENT)
    if not any(isinstance(handler, _ForDebugging) for handler in logger.handlers):
        logger.addHandler(_ForDebugging())
    logger.propagate = False
