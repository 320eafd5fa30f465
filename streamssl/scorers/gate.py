"""Which rows the slow teacher of statistics learns: the ordinary ones, with a capped quarantine.

Rows up to a running quantile of the key's score are learnt. When about half of a key's recent rows
are above it, the key is in quarantine: nothing is learnt, until the state has lasted so long that
it must be the new normal; then everything is learnt until the rows look ordinary again.

B = events, K = keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.events import BoolArray, FloatArray, IntArray
from streamssl.keys import KeyColumns, Runs
from streamssl.scorers.histogram import NUM_BINS, add_scores, quantile

FREE_ROWS = 256
MEMORY = 20_000
RATE = 1.0 / 32.0
QUARANTINE = 0.5
POOL_ROWS = 64.0


class Gate:
    """Per-key quantile gate with quarantine.

    Args:
        gate: Quantile of the score up to which a row is learnt.
        quarantine_min: Least events in quarantine before a shift is accepted.
        quarantine_share: The same, per learnt row of the key.
        quarantine_max: Most events in quarantine before a shift is accepted.
    """

    def __init__(
        self,
        *,
        gate: float = 0.85,
        quarantine_min: int = 500,
        quarantine_share: float = 0.2,
        quarantine_max: int = 3_000,
    ) -> None:
        self.gate = gate
        self.limits = (quarantine_min, quarantine_share, quarantine_max)
        self.pool_N = np.zeros(NUM_BINS)
        self.columns = KeyColumns(
            learnt=((), np.float64, 0.0),
            over=((), np.float64, 0.0),
            quarantined=((), np.float64, 0.0),
            scores=((NUM_BINS,), np.float32, 0.0),
        )

    def thresholds(self, slots: IntArray) -> FloatArray:
        """`[K]` score up to which a row is learnt, shrunk to all keys' while a key is young."""
        pool = self.pool_N * (POOL_ROWS / max(self.pool_N.sum(), 1.0))
        return quantile(self.columns["scores"][slots] + pool, self.gate)

    def learn(self, slot_B: IntArray, score_B: FloatArray) -> BoolArray:
        """Judge an epoch's rows (each key's in order) and move the gate on.

        Returns:
            `[B]` True where the statistics may learn the row.
        """
        runs, columns = Runs(slot_B), self.columns
        learnt_K = columns["learnt"][runs.slots]
        over_B = score_B > self.thresholds(runs.slots)[runs.group]
        share_B, count_B, over_K, count_K = self._walk(runs, over_B, learnt_K)
        quarantine_B = (share_B >= QUARANTINE) & (learnt_K[runs.group] >= FREE_ROWS)
        accepted_B = count_B >= self._patience(learnt_K)[runs.group]
        free_B = learnt_K[runs.group] + runs.rank < FREE_ROWS
        learn_B = np.where(quarantine_B, accepted_B, ~over_B | free_B)
        self._remember(runs, score_B, ~quarantine_B)
        columns["learnt"][runs.slots] = learnt_K + np.bincount(
            runs.group, learn_B, minlength=len(runs.slots)
        )
        columns["over"][runs.slots], columns["quarantined"][runs.slots] = over_K, count_K
        return learn_B

    def _walk(
        self, runs: Runs, over_B: BoolArray, learnt_K: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Share of recent rows over the gate, and events since quarantine began, row by row."""
        share = self.columns["over"][runs.slots][runs.by_count]
        count = self.columns["quarantined"][runs.slots][runs.by_count]
        young = learnt_K[runs.by_count] < FREE_ROWS
        shares, counts = np.empty(len(over_B)), np.empty(len(over_B))
        over, begin = over_B[runs.rank_major], 0
        for width in runs.widths:
            end = begin + width
            share[:width] += RATE * (over[begin:end] - share[:width])
            inside = (share[:width] >= QUARANTINE) & ~young[:width]
            count[:width] = (count[:width] + 1.0) * inside
            shares[begin:end], counts[begin:end] = share[:width], count[:width]
            begin = end
        share_B, count_B = np.empty_like(shares), np.empty_like(counts)
        share_B[runs.rank_major], count_B[runs.rank_major] = shares, counts
        last_share, last_count = np.empty_like(share), np.empty_like(count)
        last_share[runs.by_count], last_count[runs.by_count] = share, count
        return share_B, count_B, last_share, last_count

    def _patience(self, learnt_K: FloatArray) -> FloatArray:
        least, share, most = self.limits
        return np.minimum(np.maximum(least, share * learnt_K), max(least, most))

    def _remember(self, runs: Runs, score_B: FloatArray, open_B: BoolArray) -> None:
        """Add the scores of rows outside quarantine to the key's and the pool's histogram."""
        rows = np.flatnonzero(open_B)
        scores = self.columns["scores"]
        scores[runs.slots] = add_scores(scores[runs.slots], runs.group[rows], score_B[rows], MEMORY)
        whole = np.zeros(len(rows), np.int64)
        self.pool_N = add_scores(self.pool_N[None], whole, score_B[rows], MEMORY)[0]

    def state_dict(self) -> dict[str, Any]:
        """Everything learned."""
        return {"columns": self.columns.state_dict(), "pool": self.pool_N.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state["columns"])
        self.pool_N = np.array(state["pool"])
