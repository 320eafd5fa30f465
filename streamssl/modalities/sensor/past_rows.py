"""The last rows of every key, from further back than its context: what a future is known from.

B = events, S = chosen events, T = rows, C = channels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streamssl.data.events import Float32Array, IntArray
from streamssl.data.keys import KeyColumns, Runs


class PastRows:
    """A ring of T rows a key: the row of the key's event n is at n modulo T.

    Args:
        num_channels: C.
        steps: T.
    """

    def __init__(self, *, num_channels: int, steps: int) -> None:
        self.steps = steps
        self.columns = KeyColumns(rows=((steps, num_channels), np.float32, np.nan))

    def upto(self, batch: RowsOfBatch, chosen_S: IntArray) -> Float32Array:
        """`[S, T, C]` the rows up to and with some events of a batch, oldest first.

        NaN where the key has had none.
        """
        runs, back_T = batch.runs, np.arange(self.steps)[::-1]
        rank_S1 = runs.rank[chosen_S, None]
        inside_ST = rank_S1 >= back_T
        place_ST = runs.starts[runs.group[chosen_S], None] + rank_S1 - back_T
        ring_ST = (batch.age_B[chosen_S, None] - back_T) % self.steps
        found_STC: Float32Array = self.columns["rows"][batch.slot_B[chosen_S, None], ring_ST]
        found_STC[inside_ST] = runs.sorted(batch.rows_BC)[place_ST[inside_ST]]
        return found_STC

    def write(self, batch: RowsOfBatch) -> None:
        """Keep a batch's rows; of more than T of a key the last ones."""
        runs = batch.runs
        kept = np.flatnonzero(runs.rank >= runs.counts[runs.group] - self.steps)
        ring = batch.age_B[kept] % self.steps
        self.columns["rows"][batch.slot_B[kept], ring] = batch.rows_BC[kept]


class RowsOfBatch(NamedTuple):
    """A batch's rows, not yet kept.

    Attributes:
        runs: How they fall to keys.
        slot_B: Slots of their keys.
        age_B: Events of the key before each.
        rows_BC: The rows.
    """

    runs: Runs
    slot_B: IntArray
    age_B: IntArray
    rows_BC: Float32Array
