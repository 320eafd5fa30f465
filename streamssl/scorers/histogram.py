"""Decayed histograms of scores on a logarithmic scale: 40 bins a decade from 1e-3 to 1e5.

K = keys, B = events, N = bins.
"""

from __future__ import annotations

import numpy as np

from streamssl.events import FloatArray, IntArray

BINS_PER_DECADE = 40
LOWEST = 1e-3
NUM_BINS = 320
BIN_WIDTH = float(np.log(10.0)) / BINS_PER_DECADE


def log_position(score_B: FloatArray) -> FloatArray:
    """Place of a score in units of bins; scores under 1e-3 count as 1e-3."""
    return (np.log(np.maximum(score_B, LOWEST)) - np.log(LOWEST)) / BIN_WIDTH


def bin_of(score_B: FloatArray) -> IntArray:
    """Bin of each score, in [0, NUM_BINS)."""
    return np.minimum(log_position(score_B).astype(np.int64), NUM_BINS - 1)


def add_scores(
    counts_KN: FloatArray, group_B: IntArray, score_B: FloatArray, memory: float
) -> FloatArray:
    """Decay each key's histogram by the number of its new scores, and add them.

    Args:
        counts_KN: Histograms so far.
        group_B: Row of `counts_KN` that each score belongs to.
        score_B: The new scores.
        memory: Scores after which an old one counts 1/e.
    """
    new_KN = np.zeros(counts_KN.shape, np.float64)
    np.add.at(new_KN, (group_B, bin_of(score_B)), 1.0)
    decay_K = (1.0 - 1.0 / memory) ** new_KN.sum(1)
    return counts_KN * decay_K[:, None] + new_KN


def quantile(counts_KN: FloatArray, q: float) -> FloatArray:
    """`[K]` upper edge of the bin that holds the q-quantile; infinite without any score."""
    cumulative = np.cumsum(counts_KN, axis=1)
    total = cumulative[:, -1]
    index = (cumulative < (q * total)[:, None]).sum(1)
    edge = LOWEST * np.exp((np.minimum(index, NUM_BINS - 1) + 1) * BIN_WIDTH)
    return np.where(total > 0, edge, np.inf)
