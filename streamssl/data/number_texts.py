"""Numbers that stand in texts: plain ones, which a setting reads, and others."""

from __future__ import annotations

import re
from typing import Literal

_NUMBER = re.compile(r"\s*[+-]?\.?\d[\d.,\s]*([eE][+-]?\d+)?\s*")
# What a parser of plain numbers does not read: commas, groups, a second point.
_GROUPS = re.compile(r"\s*[+-]?\d{1,3}(\.\d{3})+(,\d*)?\s*")
_COMMAS = re.compile(r",|\d\s+\d|\..*\.")


def number_in(text: str) -> Literal["plain", "formatted"] | None:
    """How a text writes a number: as a parser reads it, or with commas or groups; None: no number.

    Example:
        >>> number_in(" -1.5e3"), number_in("1.234,5"), number_in("12 V"), number_in("10.0.0.7")
        ('plain', 'formatted', None, None)
    """
    is_dotted = text.count(".") > 1 and not _GROUPS.fullmatch(text)  # An address, a version.
    if is_dotted or not _NUMBER.fullmatch(text):
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
