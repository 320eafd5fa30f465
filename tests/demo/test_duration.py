"""Durations are read as people write them, and nothing else is."""

from __future__ import annotations

import pytest

from streamssl.demo.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("30", 30.0), (" 2m ", 120.0), ("2min", 120.0), ("1.5H", 5_400.0)],
)
def test_duration_is_read(text: str, seconds: float) -> None:
    """Seconds by default; units s, m, min, h."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "-3s", "3 days", "s", "1e3", "nan", "30s later"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    """The error says how to write one."""
    with pytest.raises(ValueError, match="30s, 2m or 1h"):
        parse_duration(text)
