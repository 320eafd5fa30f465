"""Columns that no event carries, and the names that may be meant instead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

MAX_NEAR = 3
MAX_CARRIED = 20


def absent_columns(names: Iterable[str], carried: Collection[str]) -> dict[str, str]:
    """Of the names those that no event carries, each with the names that may be meant.

    Example:
        >>> absent_columns(["p", "presure", "s.x"], ["p", "pressure", "q", "s"])
        {'presure': 'did you mean pressure?'}
    """
    free = sorted(set(carried).difference(names))
    return {
        name: _meant(name, free)
        for name in names
        if not any(name == other or name.startswith(f"{other}.") for other in carried)
    }


def _meant(name: str, carried: Sequence[str]) -> str:
    lower = {other.lower(): other for other in carried}
    near = [lower[word] for word in get_close_matches(name.lower(), lower, MAX_NEAR)]
    near = near or [other for other in carried if other.rpartition(".")[2] == name][:MAX_NEAR]
    if near:
        return f"did you mean {' or '.join(near)}?"
    more = ", ..." if len(carried) > MAX_CARRIED else ""
    return (
        f"there is {', '.join(carried[:MAX_CARRIED])}{more}" if carried else "no other name is near"
    )
