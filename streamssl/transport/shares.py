"""How one poll is divided between partitions."""

from __future__ import annotations

from collections.abc import Mapping


def equal_shares(waiting: Mapping[int, int], limit: int, *, turn: int = 0) -> dict[int, int]:
    """Divide `limit` messages between partitions as equally as what is waiting allows.

    Args:
        waiting: Messages that wait, per partition.
        limit: Most messages in all.
        turn: Counts polls: a remainder that cannot be divided goes elsewhere each time.

    Returns:
        Messages to take, for every partition (0 where nothing waits).

    Example:
        >>> equal_shares({0: 1, 1: 50, 2: 50}, 9)
        {0: 1, 1: 4, 2: 4}
    """
    shares = dict.fromkeys(sorted(waiting), 0)
    start = turn % max(len(shares), 1)
    order = [*list(shares)[start:], *list(shares)[:start]]
    while wanting := [p for p in order if shares[p] < waiting[p]][:limit]:
        fair = limit // len(wanting)
        for partition in wanting:
            more = min(fair, waiting[partition] - shares[partition])
            shares[partition] += more
            limit -= more
    return shares
