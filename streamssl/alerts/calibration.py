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

from streamssl.arithmetic.histogram import NUM_BINS, Above, add_scores, add_to_pool, log_position
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs

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
        above = Above(self.columns["scores"][runs.slots], pool_N, trust_K, every=SMALLEST_COUNT)
        doubt_K = np.exp((NUM_BINS * SMALLEST_COUNT - above.total_K) / PRIOR_SCORES)
        known_B = tail_probability(above, runs.group, raw_B)
        doubt_B = doubt_K[runs.group]
        return (1.0 - doubt_B) * known_B + doubt_B / (1.0 + raw_B * raw_B)

    def ready(self, slot_B: IntArray) -> BoolArray:
        """`[B]` whether calibration has seen enough scores of the key."""
        seen: BoolArray = self.columns["seen"][slot_B] >= self.warmup
        return seen

    def learn(self, slot_B: IntArray, raw_B: FloatArray) -> None:
        """Add an epoch's scores: every one of a fitted scorer, anomalies too."""
        runs = Runs(slot_B)
        add_scores(self.columns["scores"], runs, np.arange(len(raw_B)), raw_B, self.memory)
        self.columns["seen"][runs.slots] += runs.counts
        add_to_pool(self.pool_N, raw_B, self.memory)

    def state_dict(self) -> dict[str, Any]:
        """Everything learned."""
        return {"columns": self.columns.state_dict(), "pool": self.pool_N.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state["columns"])
        self.pool_N = np.array(state["pool"])


def tail_probability(above: Above, group_B: IntArray, raw_B: FloatArray) -> FloatArray:
    """p-values under histograms without empty bins.

    Args:
        above: The histograms.
        group_B: `[B]` histogram of each score.
        raw_B: `[B]` scores.
    """
    share_K = np.clip(TAIL_SCORES / above.total_K, *TAIL_SHARES)
    tail_K, spread_K = _place_above(above, share_K), _place_above(above, SPREAD * share_K)
    fold_K = np.maximum(tail_K - spread_K, 1.0) / np.log(SPREAD)
    place_B = log_position(raw_B)
    bin_B = np.minimum(place_B.astype(np.int64), NUM_BINS - 1)
    into_B = np.minimum(place_B - bin_B, 1.0)
    here_B, next_B = above.around(group_B, bin_B)
    inside_B = (here_B - into_B * (here_B - next_B)) / above.total_K[group_B]
    excess_B = np.maximum(place_B - tail_K[group_B], 0.0)
    tail_B = share_K[group_B] * np.exp(-excess_B / fold_K[group_B])
    return np.where(excess_B > 0.0, tail_B, inside_B)


def _place_above(above: Above, share_K: FloatArray) -> FloatArray:
    """`[K]` place, in bins, above which each share of the scores lies."""
    wanted_K = share_K * above.total_K
    bin_K = above.bin_under(wanted_K)
    here_K, next_K = above.around(np.arange(len(share_K)), bin_K)
    return bin_K + (here_K - wanted_K) / (here_K - next_K)
