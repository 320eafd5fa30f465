"""The blocks that a young key's rows count in, and its rows walked one after another.

What is known of a key stands within a block and moves at its end, so that a fault is not learnt
while it is judged, and early blocks are short.

B = rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamssl.data.events import BoolArray, IntArray
from streamssl.data.keys import Runs

# docs/research-log.md, "Constants of the arithmetic"
BLOCK_ENDS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


def turns(runs: Runs, is_young_B: BoolArray) -> Iterator[IntArray]:
    """The first young row of each key, then the second rows, and so on.

    Args:
        runs: How the rows fall to keys.
        is_young_B: Which rows count; of a key the first ones.
    """
    rows = np.flatnonzero(is_young_B)
    rank_R = runs.rank[rows]
    rows = rows[np.argsort(rank_R, kind="stable")]
    yield from np.split(rows, np.cumsum(np.bincount(rank_R))[:-1])
