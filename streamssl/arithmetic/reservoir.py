"""A fair sample of everything offered so far: algorithm R (Vitter 1985), many items at once.

N = items offered, K = places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.data.events import IntArray


def random_places(num_seen: int, count: int, generator: np.random.Generator) -> IntArray:
    """`[N]` a place for each of `count` further items, uniform on [0, items up to and with it).

    An item whose place is K or above is not kept, so each is kept with probability K / num_seen.
    """
    return generator.integers(0, num_seen + 1 + np.arange(count))


def last_writers(place_N: IntArray, num_places: int) -> IntArray:
    """Rows that stay: the last one offered to each place, as one by one would give.

    Example:
        >>> last_writers(np.array([1, 0, 5, 1]), 2)
        array([1, 3])
    """
    rows = np.flatnonzero(place_N < num_places)[::-1]
    _, first = np.unique(place_N[rows], return_index=True)
    return np.sort(rows[first])


def offered(
    sample: Mapping[str, Any],
    items: Mapping[str, Any],
    num_seen: int,
    capacity: int,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """A sample after further items: free places are filled, then each takes a random one.

    Args:
        sample: Named arrays, K rows or fewer.
        items: Arrays of the same names, N rows.
        num_seen: How many items it is a sample of.
        capacity: K.
        generator: Source of random choices.
    """
    held, count = (len(next(iter(arrays.values()))) for arrays in (sample, items))
    room = min(capacity - held, count)
    result = {name: np.concatenate([sample[name], items[name][:room]]) for name in sample}
    rest = np.arange(room, count)
    places = random_places(num_seen + room, len(rest), generator)
    kept = last_writers(places, capacity)
    for name, array in result.items():
        array[places[kept]] = items[name][rest[kept]]
    return result
