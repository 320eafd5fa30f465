"""How the channels of a fleet's mature keys move within a key, and differ from key to key.

K = keys, C = channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.arithmetic.moments import MEMORY_ROWS, deviation
from streamssl.data.events import FloatArray

# docs/research-log.md, "Constants of the arithmetic"
MATURE_ROWS = 512
MATURE_KEYS = 3
VARIANCE_ROWS = 24.0
LEAST_RATIO, LARGEST_RATIO = 0.02, 50.0
RENEW_SHARE = 1.0 / 8.0  # rows learned, by which the moments are made anew


class FleetMoments:
    """Mean, variance within a key and variance between keys of each channel, over mature keys.

    Args:
        num_channels: C.
    """

    def __init__(self, *, num_channels: int) -> None:
        self._moments_3C = np.zeros((3, num_channels))
        self._num_keys, self._rows = 0, 0.0

    @property
    def is_mature(self) -> bool:
        """Whether at least three keys have learned 512 rows each."""
        return self._num_keys >= MATURE_KEYS

    def is_due(self, num_rows: float) -> bool:
        """Whether so much was learned since the last time that the moments may be others.

        Args:
            num_rows: Rows that all keys have learned.
        """
        return num_rows >= self._rows + min(RENEW_SHARE * self._rows, MEMORY_ROWS)

    def learn(
        self, num_rows: float, count_KC: FloatArray, level_KC: FloatArray, variance_KC: FloatArray
    ) -> None:
        """Make the moments anew from those of all keys; while few are mature, they stay.

        Args:
            num_rows: Rows that all keys have learned.
            count_KC: Values that a key has learned; those with 512 and more are mature.
            level_KC: Mean of each key's channels.
            variance_KC: Their variance.
        """
        mature_KC = count_KC >= MATURE_ROWS
        self._rows, self._num_keys = num_rows, int(mature_KC.any(1).sum())
        if not self.is_mature:
            return
        num_C = np.maximum(mature_KC.sum(0), 1)
        mean_C = np.where(mature_KC, level_KC, 0.0).sum(0) / num_C
        within_C = np.where(mature_KC, variance_KC, 0.0).sum(0) / num_C
        square_C = np.where(mature_KC, (level_KC - mean_C) ** 2, 0.0).sum(0)
        self._moments_3C = np.stack([mean_C, within_C, square_C / np.maximum(num_C - 1, 1)])

    def shrunk(self, sums_3KC: FloatArray, origin_KC: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`[K, C]` center (about the origin) and scale of keys of few rows, by empirical Bayes.

        m = (n m_k + k m_0) / (n + k) with k = clip(W / B, .02, 50), and
        v = (n v_k + 24 W) / (n + 24) + W / (n + k): W, B the variances within and between keys.

        Args:
            sums_3KC: n, and the sums of values about the origin and of their squares.
            origin_KC: Origins of the keys' channels.
        """
        count_KC, sum_KC, square_KC = sums_3KC
        mean_C, within_C, between_C = self._moments_3C
        ratio_C = np.clip(within_C / np.maximum(between_C, 1e-300), LEAST_RATIO, LARGEST_RATIO)
        own_KC = sum_KC / np.maximum(count_KC, 1.0)
        variance_KC = np.maximum(square_KC - own_KC * sum_KC, 0.0)
        center_KC = (sum_KC + ratio_C * (mean_C - origin_KC)) / (count_KC + ratio_C)
        spread_KC = (variance_KC + VARIANCE_ROWS * within_C) / (count_KC + VARIANCE_ROWS)
        spread_KC += within_C / (count_KC + ratio_C)
        return center_KC, deviation(center_KC + origin_KC, spread_KC)

    def state_dict(self) -> dict[str, Any]:
        """The moments, and what they were made from."""
        counts = [float(self._num_keys), self._rows]
        return {"moments": self._moments_3C.copy(), "counts": counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self._moments_3C = np.array(state["moments"])
        num_keys, self._rows = map(float, state["counts"])
        self._num_keys = int(num_keys)
