"""From raw scores to p-values by the recent past of the stream.

Each key has a decayed histogram of its raw scores, shrunk to that of all keys. Below the tail the
p-value is the share of past scores above; in the tail it falls as a power of the score, fitted to
the largest past scores (Hill 1975), so it is strictly decreasing and never zero. Before there are
scores to compare with, 1 / (1 + raw^2) stands in.

B = events, K = keys, N = bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.events import BoolArray, FloatArray, IntArray
from streamssl.keys import KeyColumns, Runs
from streamssl.scorers.histogram import (
    BIN_WIDTH,
    NUM_BINS,
    add_scores,
    log_position,
)

POOL_SCORES = 64.0
PRIOR_SCORES = 32.0
TAIL_SCORES = 16.0
TAIL_SHARE = 0.02
SMALLEST_COUNT = 1e-4


class Calibration:
    """Maps raw scores to p-values, per key, from scores of past epochs.

    Args:
        calibration_memory: Scores that the histograms remember.
        calibration_warmup: Scores of a key before its p-values are trusted.
    """

    def __init__(self, *, calibration_memory: int = 20_000, calibration_warmup: int = 256) -> None:
        self.memory, self.warmup = float(calibration_memory), calibration_warmup
        self.columns = KeyColumns(scores=((NUM_BINS,), np.float32, 0.0), seen=((), np.int64, 0))
        self.pool_N = np.zeros(NUM_BINS)

    def p_value(self, slot_B: IntArray, raw_B: FloatArray) -> FloatArray:
        """`[B]` chance of a score at least as large, in (0, 1]; changes nothing."""
        runs = Runs(slot_B)
        pool = self.pool_N * (POOL_SCORES / max(self.pool_N.sum(), 1.0))
        counts_KN = self.columns["scores"][runs.slots] + pool
        doubt_K = np.exp(-counts_KN.sum(1) / PRIOR_SCORES)
        known_B = tail_probability(counts_KN + SMALLEST_COUNT, runs.group, raw_B)
        doubt_B = doubt_K[runs.group]
        return (1.0 - doubt_B) * known_B + doubt_B / (1.0 + raw_B * raw_B)

    def ready(self, slot_B: IntArray) -> BoolArray:
        """`[B]` whether calibration has seen enough scores of the key."""
        seen: BoolArray = self.columns["seen"][slot_B] >= self.warmup
        return seen

    def learn(self, slot_B: IntArray, raw_B: FloatArray) -> None:
        """Add an epoch's scores: every one of a fitted scorer, anomalies too."""
        runs, scores = Runs(slot_B), self.columns["scores"]
        scores[runs.slots] = add_scores(scores[runs.slots], runs.group, raw_B, self.memory)
        self.columns["seen"][runs.slots] += runs.counts
        whole = np.zeros(len(raw_B), np.int64)
        self.pool_N = add_scores(self.pool_N[None], whole, raw_B, self.memory)[0]

    def state_dict(self) -> dict[str, Any]:
        """Everything learned."""
        return {"columns": self.columns.state_dict(), "pool": self.pool_N.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state["columns"])
        self.pool_N = np.array(state["pool"])


def tail_probability(counts_KN: FloatArray, group_B: IntArray, raw_B: FloatArray) -> FloatArray:
    """p-values under histograms without empty bins.

    Args:
        counts_KN: `[K, N]` scores per bin, all > 0.
        group_B: `[B]` histogram of each score.
        raw_B: `[B]` scores.
    """
    above_KN = np.cumsum(counts_KN[:, ::-1], axis=1)[:, ::-1]
    total_K = above_KN[:, 0]
    tail_K = _tail_start(above_KN)
    slope_K = _hill_slope(counts_KN, tail_K)
    place_B = log_position(raw_B)
    bin_B = np.minimum(place_B.astype(np.int64), NUM_BINS - 1)
    inside_B = (
        above_KN[group_B, bin_B] - np.minimum(place_B - bin_B, 1.0) * (counts_KN[group_B, bin_B])
    )
    start_B = tail_K[group_B]
    excess_B = np.maximum(place_B - start_B, 0.0) * BIN_WIDTH
    tail_B = above_KN[group_B, start_B] * np.exp(-excess_B / slope_K[group_B])
    above_B = np.where(place_B >= start_B, tail_B, inside_B)
    probability: FloatArray = above_B / total_K[group_B]
    return probability


def _tail_start(above_KN: FloatArray) -> IntArray:
    """First bin with at most the tail's number of scores at or above it."""
    wanted_K = np.maximum(TAIL_SCORES, np.minimum(TAIL_SHARE * above_KN[:, 0], 4 * TAIL_SCORES))
    start: IntArray = np.minimum((above_KN > wanted_K[:, None]).sum(1), NUM_BINS - 1)
    return start


def _hill_slope(counts_KN: FloatArray, tail_K: IntArray) -> FloatArray:
    """Mean logarithmic excess over the tail's start, at least the width of a bin."""
    middle_N = (np.arange(NUM_BINS) + 0.5) * BIN_WIDTH
    weight_KN = counts_KN - SMALLEST_COUNT
    inside_KN = np.arange(NUM_BINS) >= tail_K[:, None]
    excess_KN = np.where(inside_KN, middle_N - tail_K[:, None] * BIN_WIDTH, 0.0)
    mass_K = np.maximum((weight_KN * inside_KN).sum(1), 1e-12)
    slope: FloatArray = np.maximum((weight_KN * excess_KN).sum(1) / mass_K, BIN_WIDTH)
    return slope
