"""What a run logs, as an operator would read it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamssl.telemetry import setup_logging
from streamssl.telemetry.logs import Throttle

Line = dict[str, Any]


@contextmanager
def log_lines(level: str = "INFO") -> Iterator[list[Line]]:
    """The lines that the body logs, in order, once it has ended; none is held back."""
    root, ours = logging.getLogger(), logging.getLogger("streamssl")
    handlers, levels, stream = root.handlers[:], (root.level, ours.level), io.StringIO()
    lines: list[Line] = []
    setup_logging(level, stream=stream)
    for log_filter in [f for f in root.handlers[0].filters if isinstance(f, Throttle)]:
        root.handlers[0].removeFilter(log_filter)
    try:
        yield lines
    finally:
        lines += [json.loads(line) for line in stream.getvalue().splitlines()]
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
        logging.captureWarnings(False)


def events(lines: list[Line]) -> list[str]:
    """Names of the lines' events, in order."""
    return [line["event"] for line in lines]


def named(lines: list[Line], event: str) -> list[Line]:
    """The lines of one event."""
    return [line for line in lines if line.get("event") == event]
