"""Histograms in short: the places of some p-values, and how the tail falls beyond them.

K = histograms, B = rows, N = bins, Q = knots.
"""

from __future__ import annotations

import numpy as np

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
    counts_KN = counts_KN + factor_K1 * share_KN + SMALLEST_COUNT
    from_KN = np.add.accumulate(counts_KN[:, ::-1], axis=1)[:, ::-1]
    total_K1 = from_KN[:, :1]
    # At a knot, so that p falls strictly where the tail begins.
    least_K1 = np.clip(TAIL_SCORES / total_K1, *TAIL_SHARES)
    tail_share_K1 = KNOTS[(least_K1 <= KNOTS).sum(1, keepdims=True) - 1]
    knots_KQ = np.broadcast_to(KNOTS, (len(seen_K), len(KNOTS)))
    wanted_KX = np.concatenate([knots_KQ, tail_share_K1, SPREAD * tail_share_K1], axis=1)
    place_KX = places_above(from_KN, wanted_KX)
    tail_K1, wider_K1 = place_KX[:, -2:-1], place_KX[:, -1:]
    scale_K1 = np.maximum(tail_K1 - wider_K1, 1.0) / np.log(SPREAD)
    return np.concatenate((place_KX[:, :-2], tail_share_K1, tail_K1, scale_K1, total_K1), axis=1)


def places_above(from_KN: FloatArray, share_KX: FloatArray) -> FloatArray:
    """`[K, X]` place, in bins, above which each share of the scores of a histogram lies.

    Args:
        from_KN: Scores in each bin and all above it, falling.
        share_KX: In (0, 1).
    """
    num_bins, row_K1 = from_KN.shape[1], np.arange(len(from_KN))[:, None]
    total_K1 = from_KN[:, :1]
    # One rising line of all histograms: 1 - share above, and the histogram's number before it.
    line = (row_K1 + (1.0 - from_KN / total_K1)).reshape(-1)
    after_KX = np.searchsorted(line, row_K1 + (1.0 - share_KX), side="right")
    bin_KX = np.clip(after_KX - 1 - row_K1 * num_bins, 0, num_bins - 1)
    here_KX = np.take_along_axis(from_KN, bin_KX, axis=1)
    next_KX = np.take_along_axis(from_KN, np.minimum(bin_KX + 1, num_bins - 1), axis=1)
    next_KX = np.where(bin_KX + 1 < num_bins, next_KX, 0.0)
    places_KX: FloatArray = bin_KX + (here_KX - share_KX * total_K1) / (here_KX - next_KX)
    return places_KX
