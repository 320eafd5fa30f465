"""Running mean and deviation of every key's channels, from learnt rows of past epochs only.

K = keys, B = events, C = channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.arithmetic.moments import deviation, learning_rate
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs

PRIOR_ROWS = 8.0
STATISTICS = ("count", "mean", "var")


class Normaliser:
    """Per-key mean and deviation, shrunk to those of all keys while a key is young.

    Args:
        num_channels: C.
    """

    def __init__(self, *, num_channels: int) -> None:
        row = (num_channels,)
        self.columns = KeyColumns(
            count=(row, np.float64, 0.0), mean=(row, np.float64, 0.0), var=(row, np.float64, 0.0)
        )
        self._pool = np.zeros((3, 1, num_channels))

    def statistics(self, slots: IntArray) -> tuple[FloatArray, FloatArray]:
        """`[K, C]` center and scale of the keys in `slots`; the scale is 1 before any row."""
        count, mean, var = (self.columns[name][slots] for name in ("count", "mean", "var"))
        pool_count, pool_mean, pool_var = self._pool
        share = count / np.maximum(count + np.where(pool_count > 0, PRIOR_ROWS, 0.0), 1e-300)
        center = share * mean + (1.0 - share) * pool_mean
        gap = mean - pool_mean
        spread = share * var + (1.0 - share) * (pool_var + share * gap * gap)
        known = (count > 0) | (pool_count > 0)
        return np.where(known, center, 0.0), np.where(known, deviation(center, spread), 1.0)

    def learn(self, slot_B: IntArray, x_BC: Float32Array) -> None:
        """Learn rows (NaN = missing) in the given order."""
        if not len(slot_B):
            return
        x, columns, runs = x_BC.astype(np.float64), self.columns, Runs(slot_B)
        pool = Runs(np.zeros_like(slot_B))
        self._pool = _blend(self._pool, _moments(pool, x))
        old = np.stack([columns[name][runs.slots] for name in STATISTICS])
        for name, value in zip(STATISTICS, _blend(old, _moments(runs, x)), strict=True):
            columns[name][runs.slots] = value

    def state_dict(self) -> dict[str, Any]:
        """Everything learned."""
        return {"columns": self.columns.state_dict(), "pool": self._pool.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state["columns"])
        self._pool = np.array(state["pool"])


def _moments(runs: Runs, x_BC: FloatArray) -> FloatArray:
    """`[3, K, C]` count, mean and variance of each key's rows, in two passes."""
    rows = x_BC[runs.order]
    valid = ~np.isnan(rows)
    count = np.add.reduceat(valid.astype(np.float64), runs.starts, axis=0)
    divisor = np.maximum(count, 1.0)
    mean = np.add.reduceat(np.where(valid, rows, 0.0), runs.starts, axis=0) / divisor
    gap = np.where(valid, rows - np.repeat(mean, runs.counts, axis=0), 0.0)
    return np.stack([count, mean, np.add.reduceat(gap * gap, runs.starts, axis=0) / divisor])


def _blend(old: FloatArray, new: FloatArray) -> FloatArray:
    """Statistics (count, mean, variance) after the rows of `new`."""
    total = old[0] + new[0]
    rate = learning_rate(total, new[0])
    shift = new[1] - old[1]
    variance = (1.0 - rate) * old[2] + rate * new[2] + rate * (1.0 - rate) * shift * shift
    return np.stack([total, old[1] + rate * shift, variance])
