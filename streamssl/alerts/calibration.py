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

from streamssl.alerts.tails import EpochTails
from streamssl.arithmetic.histogram import NUM_BINS, add_scores, add_to_pool
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs


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
        self._tails = EpochTails(self.columns)

    def p_value(self, slot_B: IntArray, raw_B: FloatArray) -> FloatArray:
        """`[B]` chance of a score at least as large, in (0, 1]; changes nothing."""
        runs = Runs(slot_B)
        return self._tails.p_value(runs.slots, runs.group, raw_B, self.pool_N)

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
        self._tails.forget()

    def state_dict(self) -> dict[str, Any]:
        """The histograms of every key and of all together."""
        return {"columns": self.columns.state_dict(), "pool": self.pool_N.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state["columns"])
        self.pool_N = np.array(state["pool"])
        self._tails.forget()
