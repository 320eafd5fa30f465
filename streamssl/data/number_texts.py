"""Numbers that stand in texts: plain ones, which a setting reads, and others."""

from __future__ import annotations

import re
from typing import Literal

_NUMBER = re.compile(r"\s*[+-]?\.?\d[\d.,\s]*([eE][+-]?\d+)?\s*")
# What a parser of plain numbers does not read: commas, groups, a second point.
_COMMAS = re.compile(r",|\d\s+\d|\..*\.")


def number_in(text: str) -> Literal["plain", "formatted"] | None:
    """How a text writes a number: as a parser reads it, or with commas or groups; None: no number.

    Example:
        >>> number_in(" -1.5e3"), number_in("1.234,5"), number_in("12 V")
        ('plain', 'formatted', None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    return "formatted" if _COMMAS.search(text) else "plain"


def told_text(text: str) -> str:
    """How the number in a text is read, or why it is not; "" where it holds none."""
    ways = {
        None: "",
        "plain": "input.numbers_as_text reads numbers in it",
        "formatted": "its commas or groups of digits are not read: write 1234.5",
    }
    return ways[number_in(text)]
