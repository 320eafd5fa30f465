"""Histograms in short: the places of some p-values, and how the tail falls beyond them.

K = histograms, B = rows, N = bins, Q = knots.
"""

from __future__ import annotations

import numpy as np

from streamssl.arithmetic.histogram import Above
from streamssl.data.events import FloatArray, IntArray

# docs/research-log.md, "Constants of the arithmetic"
HIGH_KNOTS = (0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05)
LOW_KNOTS = (0.03, 0.02, 0.01, 0.007, 0.005, 0.003, 0.002, 0.0015, 0.001)
KNOTS = np.array([*HIGH_KNOTS, *LOW_KNOTS])
POOL_SCORES = 64.0
PRIOR_SCORES = 32.0
TAIL_SCORES = 32.0
TAIL_SHARES = (0.001, 0.01)
SPREAD = 5.0
SMALLEST_COUNT = 1e-4
BELOW = 4.0  # bins over which 1 - p falls by e under the lowest knot
# Columns of a table: places of the knots, then share, place and scale of the tail, then the total.
NUM_COLUMNS = len(KNOTS) + 4


class Tables:
    """Tables of some histograms, read at many places.

    Args:
        table_KX: As `tables_of` gives them.

    Attributes:
        share_K: q, share of the scores that the tail holds.
        tail_K: t, place above which that share lies.
        scale_K: s, bins over which p falls by e there: (t - t_5) / ln 5, t_5 the place of 5 q.
        total_K: Scores counted, those of the pool included.
    """

    def __init__(self, table_KX: FloatArray) -> None:
        self.place_KQ = table_KX[:, : len(KNOTS)]
        self.share_K, self.tail_K, self.scale_K, self.total_K = table_KX[:, len(KNOTS) :].T

    def p_value(self, group_B: IntArray, position_B: FloatArray) -> FloatArray:
        """`[B]` share of a histogram above a place: strictly falling, in (0, 1).

        Between knots by a straight line; q exp(-(x - t) / s) in the tail.

        Args:
            group_B: Which histogram.
            position_B: Places, in bins.
        """
        left_B = self._knot(group_B, position_B)
        right_B = np.minimum(left_B + 1, len(KNOTS) - 1)
        low_B, high_B = self.place_KQ[group_B, left_B], self.place_KQ[group_B, right_B]
        part_B = (position_B - low_B) / np.maximum(high_B - low_B, 1e-300)
        part_B = np.minimum(np.maximum(part_B, 0.0), 1.0)
        p_B = KNOTS[left_B] + part_B * (KNOTS[right_B] - KNOTS[left_B])
        under = np.flatnonzero(position_B < low_B)
        away_U = (position_B[under] - low_B[under]) / BELOW
        p_B[under] = 1.0 - (1.0 - KNOTS[0]) * np.exp(away_U)
        excess_B = position_B - self.tail_K[group_B]
        beyond = np.flatnonzero(excess_B > 0.0)
        group_R = group_B[beyond]
        p_B[beyond] = self.share_K[group_R] * np.exp(-excess_B[beyond] / self.scale_K[group_R])
        return p_B

    def _knot(self, group_B: IntArray, position_B: FloatArray) -> IntArray:
        """`[B]` last knot that is not above each place; at least the first."""
        if len(self.place_KQ) == 1:
            found_B: IntArray = np.searchsorted(self.place_KQ[0], position_B, side="right") - 1
        else:
            found_B = (self.place_KQ[group_B] <= position_B[:, None]).sum(1) - 1
        return np.maximum(found_B, 0)

    def place(self, p_K: FloatArray) -> FloatArray:
        """`[K]` place of a p-value in each histogram: the inverse, for p up to the largest knot."""
        rows, p_K = np.arange(len(p_K)), np.maximum(p_K, 1e-300)
        above_K = (p_K[:, None] <= KNOTS).sum(1).clip(1, len(KNOTS) - 1)
        high, low = KNOTS[above_K - 1], KNOTS[above_K]
        part_K = np.clip((high - p_K) / (high - low), 0.0, 1.0)
        left_K, right_K = self.place_KQ[rows, above_K - 1], self.place_KQ[rows, above_K]
        beyond_K = self.tail_K + self.scale_K * np.log(self.share_K / p_K)
        return np.where(p_K < self.share_K, beyond_K, left_K + part_K * (right_K - left_K))


def tables_of(counts_KN: FloatArray, seen_K: IntArray, pool_KN: FloatArray) -> FloatArray:
    """`[K, Q + 4]` tables: own counts, those of the pool while a key is young, a trace in each bin.

    The tail holds a share q of n scores, the first knot from clip(32 / n, .001, .01) on.

    Args:
        counts_KN: Own counts.
        seen_K: How many scores were counted.
        pool_KN: Those of all keys; they weigh as much as 64 exp(-seen / 64).
    """
    factor_K1 = POOL_SCORES * np.exp(-seen_K / POOL_SCORES)[:, None]
    share_KN = pool_KN / np.maximum(pool_KN.sum(1, keepdims=True), 1.0)
    above = Above.of(counts_KN + factor_K1 * share_KN + SMALLEST_COUNT)
    # At a knot, so that p falls strictly where the tail begins.
    least_K1 = np.clip(TAIL_SCORES / above.total_K, *TAIL_SHARES)[:, None]
    tail_share_K1 = KNOTS[(least_K1 <= KNOTS).sum(1, keepdims=True) - 1]
    knots_KQ = np.broadcast_to(KNOTS, (len(seen_K), len(KNOTS)))
    wanted_KX = np.concatenate([knots_KQ, tail_share_K1, SPREAD * tail_share_K1], axis=1)
    rows = np.repeat(np.arange(len(seen_K)), wanted_KX.shape[1])
    place_KX = place_above(above, rows, wanted_KX.reshape(-1)).reshape(wanted_KX.shape)
    tail_K1, wider_K1 = place_KX[:, -2:-1], place_KX[:, -1:]
    scale_K1 = np.maximum(tail_K1 - wider_K1, 1.0) / np.log(SPREAD)
    columns = (place_KX[:, :-2], tail_share_K1, tail_K1, scale_K1, above.total_K[:, None])
    return np.concatenate(columns, axis=1)


def place_above(above: Above, row_B: IntArray, share_B: FloatArray) -> FloatArray:
    """`[B]` place, in bins, above which each share of the scores of a histogram lies."""
    wanted_B = share_B * above.total_K[row_B]
    bin_B = above.bin_under(row_B, wanted_B)
    here_B, next_B = above.around(row_B, bin_B)
    return bin_B + (here_B - wanted_B) / (here_B - next_B)
