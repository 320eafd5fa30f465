"""Names in words, for errors, warnings and summaries."""

from __future__ import annotations

from collections.abc import Iterable

MAX_SHOWN = 20


def listed(names: Iterable[str], most: int = MAX_SHOWN) -> str:
    """The first names, and how many more there are; "" for none.

    Example:
        >>> listed(["rpm", "flow", "load"], most=2)
        'rpm, flow and 1 more'
    """
    names = list(names)
    shown, more = ", ".join(names[:most]), len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown
