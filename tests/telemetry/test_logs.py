"""Logs are JSON lines without payloads, secrets or floods."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from streamssl.telemetry import setup_logging
from streamssl.telemetry.logs import Throttle


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    out = io.StringIO()
    setup_logging("INFO", secrets=("hunter2", ""), stream=out)
    yield out
    root.handlers[:], root.level = kept, level
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The logged objects."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_object_a_line(stream: io.StringIO) -> None:
    """Time in UTC, level, logger, message and extra fields; line breaks stay inside."""
    record = {"epoch": 3, "partitions": [0, 1], "positions": {0: 17}, "loss": {"a": np.nan}}
    logging.getLogger("streamssl.engine").info("closed\n%s", "it", extra=record)
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "streamssl.engine",
        "message": "closed\nit",
        "epoch": 3,
        "partitions": [0, 1],
        "positions": {"0": 17},
        "loss": {"a": None},
    }


def test_what_is_no_number_is_null(stream: io.StringIO) -> None:
    """NaN and infinities, NumPy's too, are null: JSON has no word for them."""
    extra = {"loss": float("nan"), "rate": np.float64("inf"), "lag": 3.5}
    logging.getLogger("streamssl").info("epoch closed", extra=extra)
    (line,) = lines(stream)
    assert "NaN" not in stream.getvalue()
    assert (line["loss"], line["rate"], line["lag"]) == (None, None, 3.5)


def test_exceptions_stay_on_their_line(stream: io.StringIO) -> None:
    """A traceback is one field of the same object, secrets hidden."""
    try:
        raise ValueError("password hunter2")
    except ValueError:
        logging.getLogger("streamssl").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: password **********" in line["exception"]
    assert line["message"] == "failed"


def test_secrets_and_payloads_are_hidden(stream: io.StringIO) -> None:
    """Secrets are replaced everywhere; bytes show only their number; long texts are cut."""
    logger = logging.getLogger("streamssl")
    logger.warning("with hunter2", extra={"payload": b"secret", "where": "hunter2@x"})
    logger.warning("long", extra={"text": "x" * 10_000})
    first, second = lines(stream)
    assert "hunter2" not in stream.getvalue()
    assert first["payload"] == "<6 bytes>"
    assert len(second["text"]) < 2_100


def test_many_items_are_cut(stream: io.StringIO) -> None:
    """A list of ten thousand channels is one line of bounded length."""
    logging.getLogger("streamssl").info("channels", extra={"channels": ["c"] * 10_000})
    (line,) = lines(stream)
    assert line["channels"] == ["c"] * 100


def test_libraries_log_from_warning_on(stream: io.StringIO) -> None:
    """Other packages' chatter is dropped, their warnings are kept."""
    logging.getLogger("somebody.client").info("connected")
    logging.getLogger("somebody.client").warning("lost")
    assert [line["message"] for line in lines(stream)] == ["lost"]


def test_repeated_messages_are_held_back() -> None:
    """Ten of the same a second become one an interval, which tells how many were held back."""
    now = [0.0]
    throttle = Throttle(interval_s=10.0, clock=lambda: now[0])

    def passes(text: str, level: int = logging.ERROR) -> logging.LogRecord | None:
        record = logging.LogRecord("kafka", level, "", 0, text, None, None)
        return record if throttle.filter(record) else None

    assert passes("unstable offset 17")
    assert not any(passes(f"unstable offset {i}") for i in range(100))
    assert passes("unstable offset 17", logging.WARNING)
    assert passes("something else")
    now[0] = 10.0
    record = passes("unstable offset 200")
    assert record is not None
    assert vars(record)["num_suppressed"] == 100


def test_the_throttle_is_bounded() -> None:
    """Ever new messages do not fill the memory."""
    throttle = Throttle(clock=lambda: 0.0)
    words = ["".join("abcdefghij"[int(d)] for d in str(i)) for i in range(5_000)]
    for word in words:
        assert throttle.filter(logging.LogRecord("x", logging.INFO, "", 0, word, None, None))
    assert len(throttle._passed) <= 1_000
