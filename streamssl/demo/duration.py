"""Durations as people write them."""

from __future__ import annotations

import re

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?")


def parse_duration(text: str) -> float:
    """Seconds of a duration such as `30s`, `2m`, `1.5h` or `30` (seconds).

    Raises:
        ValueError: Not a positive duration.

    Example:
        >>> parse_duration("30s"), parse_duration("2m")
        (30.0, 120.0)
    """
    match = _DURATION.fullmatch(text.strip().lower())
    seconds = float(match[1]) * _UNITS[match[2] or ""] if match else 0.0
    if seconds <= 0.0:
        raise ValueError(f"{text!r} is not a duration: write it as 30s, 2m or 1h")
    return seconds
