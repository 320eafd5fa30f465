"""Logs: one JSON object a line, UTC, without secrets, never flooding.

No payloads either, but the first bytes of the first dead letter of a reason
(`telemetry.log_samples`), which names what to mend.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any, TextIO

from streamssl.telemetry.finite import finite
from streamssl.telemetry.log_events import PACED

HIDDEN = "**********"
_MAX_TEXT = 2_000
_MAX_ITEMS = 100
_MAX_SOURCES = 1_000
_DIGITS = re.compile(r"\d+")
# What every record has; anything else was given as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """A record as one JSON object on one line.

    Args:
        secrets: Texts that must not appear.
    """

    def __init__(self, *, secrets: Sequence[str] = ()) -> None:
        super().__init__()
        self._secrets = tuple(s for s in sorted(set(secrets), key=len, reverse=True) if s)

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message and extra fields; an exception as one string."""
        time_text = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = {
            "time": time_text.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._plain(record.getMessage()),
        }
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        fields |= {name: self._plain(value) for name, value in extra.items() if name not in fields}
        if record.exc_info:
            fields["exception"] = self._hide(self.formatException(record.exc_info))
        return json.dumps(fields, allow_nan=False)

    def _plain(self, value: Any) -> Any:
        """A short JSON value; bytes only by their number, of many items the first hundred."""
        if value is None or isinstance(value, (bool, int, float)):
            return finite(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"<{len(value)} bytes>"
        if isinstance(value, Mapping):
            pairs = list(value.items())[:_MAX_ITEMS]
            return {self._short(name): self._plain(v) for name, v in pairs}
        if isinstance(value, (list, tuple, Set)):
            return [self._plain(item) for item in list(value)[:_MAX_ITEMS]]
        return self._short(value)

    def _short(self, value: Any) -> str:
        text = self._hide(str(value))
        return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}... ({len(text)} characters)"

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


class Throttle(logging.Filter):
    """Lets a repeated message through once an interval, with the number suppressed.

    Messages that differ only in digits are the same message. Events that bound their number
    themselves (`PACED`) pass.

    Args:
        interval_s: Time between two that pass.
        clock: Seconds that only grow.
    """

    def __init__(
        self, *, interval_s: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._interval_s = interval_s
        self._clock = clock
        self._passed: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a record that repeats one of the interval."""
        if getattr(record, "event", None) in PACED:
            return True
        now = self._clock()
        message = _DIGITS.sub("#", record.getMessage()[:_MAX_TEXT])
        source = (record.name, record.levelno, message)
        passed_s, num_suppressed = self._passed.get(source, (float("-inf"), 0))
        if now - passed_s < self._interval_s:
            self._passed[source] = (passed_s, num_suppressed + 1)
            return False
        if num_suppressed:
            record.num_suppressed = num_suppressed
        self._passed[source] = (now, 0)
        self._passed.move_to_end(source)
        if len(self._passed) > _MAX_SOURCES:
            self._passed.popitem(last=False)
        return True


def setup_logging(
    level: str = "INFO", *, secrets: Sequence[str] = (), stream: TextIO | None = None
) -> None:
    """Send every log record of the process to `stream` (standard error if None).

    Args:
        level: Least level of this package's records; other libraries log from WARNING on.
        secrets: Texts that must not appear.
        stream: Where lines go.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(secrets=secrets))
    handler.addFilter(Throttle())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("streamssl").setLevel(level)
    logging.captureWarnings(True)
