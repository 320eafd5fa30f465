"""From raw scores to p-values by the recent past of the stream.

Each key has a decayed histogram of its raw scores; that of all keys helps while it is young. The
p-value is the share of past scores above. In the tail (the largest 32 scores, at most 1 %) it falls
as a power of the score, as fast as over the stretch of four times as many scores before: fitted to
two quantiles, so that past faults do not hide the next one. It is strictly decreasing and never
zero. Before there are scores to compare with, 1 / (1 + raw^2) stands in.

B = events, K = keys, N = bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.events import BoolArray, FloatArray, IntArray
from streamssl.keys import KeyColumns, Runs
from streamssl.scorers.histogram import (
    NUM_BINS,
    add_scores,
    log_position,
)

POOL_SCORES = 64.0
PRIOR_SCORES = 32.0
TAIL_SCORES = 32.0
TAIL_SHARES = (0.001, 0.01)
SPREAD = 5.0
SMALLEST_COUNT = 1e-4


class Calibration:
    """Maps raw scores to p-values, per key, from scores of past epochs.

    Args:
        calibration_memory: Scores that the histograms remember.
        calibration_warmup: Scores of a key before its p-values are trusted.
    """

    def __init__(self, *, calibration_memory: int = 2_000, calibration_warmup: int = 256) -> None:
        self.memory, self.warmup = float(calibration_memory), calibration_warmup
        self.columns = KeyColumns(scores=((NUM_BINS,), np.float32, 0.0), seen=((), np.int64, 0))
        self.pool_N = np.zeros(NUM_BINS)

    def p_value(self, slot_B: IntArray, raw_B: FloatArray) -> FloatArray:
        """`[B]` chance of a score at least as large, in (0, 1]; changes nothing."""
        runs = Runs(slot_B)
        pool_N = self.pool_N / max(self.pool_N.sum(), 1.0)
        trust_K = POOL_SCORES * np.exp(-self.columns["seen"][runs.slots] / POOL_SCORES)
        counts_KN = self.columns["scores"][runs.slots] + trust_K[:, None] * pool_N
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
    share_K = np.clip(TAIL_SCORES / above_KN[:, 0], *TAIL_SHARES)
    tail_K, spread_K = _place_above(above_KN, share_K), _place_above(above_KN, SPREAD * share_K)
    fold_K = np.maximum(tail_K - spread_K, 1.0) / np.log(SPREAD)
    place_B = log_position(raw_B)
    bin_B = np.minimum(place_B.astype(np.int64), NUM_BINS - 1)
    into_B = np.minimum(place_B - bin_B, 1.0)
    inside_B = (above_KN[group_B, bin_B] - into_B * counts_KN[group_B, bin_B]) / above_KN[
        group_B, 0
    ]
    excess_B = np.maximum(place_B - tail_K[group_B], 0.0)
    tail_B = share_K[group_B] * np.exp(-excess_B / fold_K[group_B])
    return np.where(excess_B > 0.0, tail_B, inside_B)


def _place_above(above_KN: FloatArray, share_K: FloatArray) -> FloatArray:
    """`[K]` place, in bins, above which each share of the scores lies."""
    rows, wanted_K = np.arange(len(above_KN)), share_K * above_KN[:, 0]
    bin_K = (above_KN > wanted_K[:, None]).sum(1) - 1
    next_K = np.append(above_KN, np.zeros((len(rows), 1)), axis=1)[rows, bin_K + 1]
    here_K = above_KN[rows, bin_K]
    return bin_K + (here_K - wanted_K) / (here_K - next_K)
