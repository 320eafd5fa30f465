"""Decayed histograms of scores on a logarithmic scale: 40 bins a decade from 1e-3 to 1e5.

K = keys, B = events, N = bins, G = blocks of bins, W = bins of a block.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import Runs

# docs/research-log.md, "Constants of the arithmetic"
BINS_PER_DECADE = 40
LOWEST = 1e-3
NUM_BINS = 320
BIN_WIDTH = float(np.log(10.0)) / BINS_PER_DECADE
BLOCK = 16
NUM_BLOCKS = NUM_BINS // BLOCK


def log_position(score_B: FloatArray) -> FloatArray:
    """`[B]` ln(max(s, 1e-3) / 1e-3) / w: the place of a score, in bins of width w = ln(10) / 40."""
    return (np.log(np.maximum(score_B, LOWEST)) - np.log(LOWEST)) / BIN_WIDTH


def value_at(position_B: FloatArray) -> FloatArray:
    """`[B]` the score at a place: the inverse of `log_position`."""
    return LOWEST * np.exp(position_B * BIN_WIDTH)


def bin_of(score_B: FloatArray) -> IntArray:
    """`[B]` bin of each score: min(floor(place), 319).

    Example:
        >>> bin_of(np.array([0.0, 1.1, 11.0, 1e9]))
        array([  0, 121, 161, 319])
    """
    return np.minimum(log_position(score_B).astype(np.int64), NUM_BINS - 1)


def add_scores(
    counts: npt.NDArray[Any], runs: Runs, rows_B: IntArray, score_B: FloatArray, memory: float
) -> None:
    """Decay each key's histogram by the number n of its new scores, and add them.

    h <- (1 - 1/M)^n h + (counts of the new scores).

    Args:
        counts: `[num_slots, N]`, changed in place.
        runs: How the batch falls to keys.
        rows_B: Rows of the batch whose scores are added.
        score_B: The scores of those rows.
        memory: M, scores after which an old one counts 1/e.
    """
    group_B = runs.group[rows_B]
    new_K = np.bincount(group_B, minlength=len(runs.slots))
    counts_KN = counts[runs.slots]
    counts_KN *= _decay(memory, new_K)[:, None].astype(counts.dtype)
    # One index: NumPy adds by two several times as slowly.
    np.add.at(counts_KN.reshape(-1), group_B * NUM_BINS + bin_of(score_B), counts.dtype.type(1.0))
    counts[runs.slots] = counts_KN


def add_to_pool(pool_N: FloatArray, score_B: FloatArray, memory: float) -> None:
    """The same for the one histogram of all keys: h <- (1 - 1/M)^n h + (new counts)."""
    add_bins_to_pool(pool_N, bin_of(score_B), memory)


def add_bins_to_pool(pool_N: FloatArray, bin_B: IntArray, memory: float) -> None:
    """`add_to_pool` of scores whose bins are known."""
    pool_N *= _decay(memory, len(bin_B))
    pool_N += np.bincount(bin_B, minlength=NUM_BINS)


def _decay(memory: float, new: Any) -> Any:
    """(1 - 1/M)^n: what is left of an old score's weight after n new ones."""
    return (1.0 - 1.0 / memory) ** new


class Above:
    """How much of each key's histogram lies above the lower edge of a bin.

    A_k(b) = sum over bins j >= b of h_k(j) + f_k h_pool(j): own counts, and the pool's times a
    factor. Blocks of bins are added up first, and bins only in
    the blocks that are asked for. What a key gives does not depend on the others.

    Args:
        counts_KN: Own counts.
        pool_N: Those of all keys.
        share_K: f, how often the pool counts; 0 leaves it out.

    Attributes:
        total_K: A_k(0), all of it.

    Example:
        >>> counts, nothing = np.zeros((1, NUM_BINS), np.float32), np.zeros(NUM_BINS)
        >>> counts[0, [120, 160]] = 3.0, 1.0
        >>> above = Above(counts, nothing, np.zeros(1))
        >>> above.around(np.zeros(1, np.int64), np.array([120]))
        (array([4.]), array([1.]))
        >>> quantile(above, 0.5).round(3)
        array([1.059])
    """

    def __init__(
        self,
        counts_KN: Float32Array | FloatArray,
        pool_N: FloatArray,
        share_K: FloatArray,
    ) -> None:
        self._own_KGW = counts_KN.reshape(-1, NUM_BLOCKS, BLOCK)
        self._pool_GW = pool_N.reshape(NUM_BLOCKS, BLOCK)
        self._share_K = share_K
        block_KG = np.einsum("kgw->kg", self._own_KGW).astype(np.float64)
        block_KG += share_K[:, None] * self._pool_GW.sum(1)
        self._from_KG = np.zeros((len(counts_KN), NUM_BLOCKS + 1))
        np.cumsum(block_KG[:, ::-1], axis=1, out=self._from_KG[:, -2::-1])
        self.total_K = self._from_KG[:, 0]

    @classmethod
    def of(cls, counts_KN: FloatArray) -> Above:
        """Of own counts alone."""
        return cls(counts_KN, np.zeros(NUM_BINS), np.zeros(len(counts_KN)))

    def around(self, group_B: IntArray, bin_B: IntArray) -> tuple[FloatArray, FloatArray]:
        """`[B]` A(b) and A(b + 1): what lies above the lower and above the upper edge of a bin.

        Args:
            group_B: Which histogram.
            bin_B: Which of its bins.
        """
        block_B, place_B = np.divmod(bin_B, BLOCK)
        beyond_B, within_BW = self._from_KG[group_B, block_B + 1], self._within(group_B, block_B)
        rows = np.arange(len(bin_B))
        return beyond_B + within_BW[rows, place_B], beyond_B + within_BW[rows, place_B + 1]

    def bin_under(self, group_B: IntArray, wanted_B: FloatArray) -> IntArray:
        """`[B]` max{b: A(b) > wanted}: the last bin with more above its lower edge; at least 0.

        Args:
            group_B: Which histogram.
            wanted_B: How much is to lie above.
        """
        block_B = _last_over(self._from_KG[group_B], wanted_B)
        within_BW = self._within(group_B, block_B)
        wanted_B = wanted_B - self._from_KG[group_B, block_B + 1]
        return block_B * BLOCK + _last_over(within_BW, wanted_B)

    def _within(self, group_B: IntArray, block_B: IntArray) -> FloatArray:
        """`[B, W + 1]` what lies above each edge of the block, of what is in the block."""
        count_BW = self._own_KGW[group_B, block_B].astype(np.float64)
        count_BW += self._share_K[group_B, None] * self._pool_GW[block_B]
        above_BW = np.zeros((len(group_B), BLOCK + 1))
        np.cumsum(count_BW[:, ::-1], axis=1, out=above_BW[:, -2::-1])
        return above_BW


def _last_over(above_KX: FloatArray, wanted_K: FloatArray) -> IntArray:
    """`[K]` last place of a falling row that is over what is wanted; at least the first."""
    over_K: IntArray = (above_KX[:, :-1] > wanted_K[:, None]).sum(1)
    return np.maximum(over_K - 1, 0)


def quantile(above: Above, q: float) -> FloatArray:
    """`[K]` 1e-3 exp((b + 1) w), b = max{b: A(b) > (1 - q) A(0)}; infinite without any score."""
    rows, wanted_K = np.arange(len(above.total_K)), (1.0 - q) * above.total_K
    edge_K = LOWEST * np.exp((above.bin_under(rows, wanted_K) + 1) * BIN_WIDTH)
    return np.where(above.total_K > 0, edge_K, np.inf)
