"""Running mean and deviation of every key's channels, from learnt rows of past epochs only.

K = keys, B = events, C = channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from streamssl.arithmetic.moments import deviation, learning_rate
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs, of_rows

# docs/research-log.md, "Constants of the arithmetic"
PRIOR_ROWS = 8.0
BOUND = 1_000.0  # deviations at which a value is cut off, so that it does not fill the covariances
YOUNG_BOUND = 20.0  # the same while all rows are learned
YOUNG_ROWS = 256
FIRST_ROWS = 24  # rows of a channel before it has a bound
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

    def statistics(self, slots: IntArray, origin_KC: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`[K, C]` center and scale of the keys in `slots`; the scale is 1 before any row.

        The center is about the key's origin, the moments of all keys are about 0.

        m = w m_k + (1 - w) m_0 and v = w v_k + (1 - w) (v_0 + w (m_k - m_0)^2), w = n / (n + 8)
        for a key of n rows; m_0, v_0 of all keys. The scale is `deviation(m, v)`.

        Args:
            slots: Of the keys.
            origin_KC: Their channels' origins.
        """
        count, mean, var = (self.columns[name][slots] for name in ("count", "mean", "var"))
        pool_count, pool_mean, pool_var = self._pool
        pool_mean = pool_mean - origin_KC
        weight = count / np.maximum(count + np.where(pool_count > 0, PRIOR_ROWS, 0.0), 1e-300)
        center = weight * mean + (1.0 - weight) * pool_mean
        difference = mean - pool_mean
        spread = weight * var + (1.0 - weight) * (pool_var + weight * difference * difference)
        known = (count > 0) | (pool_count > 0)
        return np.where(known, center, 0.0), np.where(
            known, deviation(center + origin_KC, spread), 1.0
        )

    @property
    def num_rows(self) -> float:
        """Rows that all keys have learned: of the channel that has the most values."""
        return float(self._pool[0].max())

    def bounds(self, slots: IntArray) -> FloatArray:
        """`[K, C]` deviations up to which a value counts: the first ones without an end."""
        count_KC = self.columns["count"][slots]
        bound_KC = np.where(count_KC < YOUNG_ROWS, YOUNG_BOUND, BOUND)
        return np.where(count_KC < FIRST_ROWS, np.inf, bound_KC)

    def learn(
        self, slot_B: IntArray, x_BC: Float32Array, origins: Callable[[IntArray], FloatArray]
    ) -> None:
        """Learn rows (NaN = missing) in the given order, as they are about the keys' origins."""
        if not len(slot_B):
            return
        x, columns, runs = x_BC.astype(np.float64), self.columns, Runs(slot_B)
        new = _moments(runs, x)
        self._pool = _blend(self._pool, _together(new, origins(runs.slots)))
        old = np.stack([columns[name][runs.slots] for name in STATISTICS])
        for name, value in zip(STATISTICS, _blend(old, new), strict=True):
            columns[name][runs.slots] = value

    def state_dict(self) -> dict[str, Any]:
        """Count, mean and variance, of every key and of all."""
        return {"columns": self.columns.state_dict(), "pool": self._pool.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the moments of every key and of all."""
        self.columns.load_state_dict(state["columns"])
        self._pool = np.array(state["pool"])


def _moments(runs: Runs, x_BC: FloatArray) -> FloatArray:
    """`[3, K, C]` count, mean and variance of each key's rows, in two passes."""
    rows = runs.sorted(x_BC)
    valid = ~np.isnan(rows)
    count = np.add.reduceat(valid.astype(np.float64), runs.starts, axis=0)
    divisor = np.maximum(count, 1.0)
    mean = np.add.reduceat(np.where(valid, rows, 0.0), runs.starts, axis=0) / divisor
    centred = np.where(valid, rows - of_rows(mean, runs.sorted(runs.group)), 0.0)
    return np.stack(
        [count, mean, np.add.reduceat(centred * centred, runs.starts, axis=0) / divisor]
    )


def _together(moments: FloatArray, origin_KC: FloatArray) -> FloatArray:
    """`[3, 1, C]` moments of the rows of all keys, about 0."""
    count, mean, variance = moments
    total = np.maximum(count.sum(0), 1.0)
    level = mean + origin_KC
    center = (count * level).sum(0) / total
    variance = (count * (variance + (level - center) ** 2)).sum(0) / total
    return np.stack([count.sum(0), center, variance])[:, None]


def _blend(old: FloatArray, new: FloatArray) -> FloatArray:
    """Moments (n, m, v) after further rows: their own with weight r, the rest of `old`.

    m <- m + r d and v <- (1 - r) v + r v' + r (1 - r) d^2, d = m' - m, r = `learning_rate`.
    """
    total = old[0] + new[0]
    rate = learning_rate(total, new[0])
    shift = new[1] - old[1]
    variance = (1.0 - rate) * old[2] + rate * new[2] + rate * (1.0 - rate) * shift * shift
    return np.stack([total, old[1] + rate * shift, variance])
