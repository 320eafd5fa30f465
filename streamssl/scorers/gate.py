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

from streamssl.arithmetic.acceptance import Acceptance
from streamssl.arithmetic.histogram import NUM_BINS, Above, add_scores, add_to_pool, quantile
from streamssl.arithmetic.moments import MEMORY_ROWS
from streamssl.arithmetic.scan import BLOCK, EmaScan
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.scorers.base import FITTED_ROWS

# docs/research-log.md, "Constants of the arithmetic"
RECENT_ROWS = 32.0
QUARANTINE = 0.5
POOL_ROWS = 64.0
SHARE = EmaScan(np.array([1.0 / RECENT_ROWS]))


class Gate:
    """Per-key quantile gate with quarantine.

    Args:
        quantile: Quantile of the score up to which a row is learnt.
        quarantine_min: Least events in quarantine before a shift is accepted.
        quarantine_share: The same, per learnt row of the key.
        quarantine_max: Most events in quarantine before a shift is accepted.
    """

    def __init__(
        self,
        *,
        quantile: float = 0.85,
        quarantine_min: int = 500,
        quarantine_share: float = 0.2,
        quarantine_max: int = 3_000,
    ) -> None:
        self.quantile = quantile
        self.acceptance = Acceptance(quarantine_min, quarantine_share, quarantine_max)
        self.pool_N = np.zeros(NUM_BINS)
        self.columns = KeyColumns(
            learnt=((), np.float64, 0.0),
            judged=((), np.int64, 0),
            over=((), np.float64, 0.0),
            quarantined=((), np.int64, 0),
            scores=((NUM_BINS,), np.float32, 0.0),
        )

    def thresholds(self, slots: IntArray) -> FloatArray:
        """`[K]` q-quantile of h_key + 64 h_all / sum(h_all), histograms of scores."""
        share_K = np.full(len(slots), POOL_ROWS / max(self.pool_N.sum(), 1.0))
        return quantile(Above(self.columns["scores"][slots], self.pool_N, share_K), self.quantile)

    def learn(self, slot_B: IntArray, score_B: FloatArray) -> BoolArray:
        """Judge an epoch's rows (each key's in order) and move the gate on.

        In quarantine (EMA_32 of [score > t] >= .5, once 256 rows are learnt) a row is learnt if
        the quarantine has lasted; otherwise if score <= t, and the first 256 rows of a key always.

        Returns:
            `[B]` True where the statistics may learn the row.
        """
        if not len(slot_B):
            return np.zeros(0, bool)
        runs, columns = Runs(slot_B), self.columns
        learnt_K = columns["learnt"][runs.slots]
        over_B = score_B > self.thresholds(runs.slots)[runs.group]
        old_B = learnt_K[runs.group] >= FITTED_ROWS
        quarantine_B = (self._shares(runs, over_B) >= QUARANTINE) & old_B
        accepted_B = (
            self._durations(runs, quarantine_B) >= self.acceptance.after(learnt_K)[runs.group]
        )
        free_B = learnt_K[runs.group] + runs.rank < FITTED_ROWS
        learn_B = np.where(quarantine_B, accepted_B, ~over_B | free_B)
        self._remember(runs, score_B, ~quarantine_B)
        columns["learnt"][runs.slots] = learnt_K + np.bincount(
            runs.group, learn_B, minlength=len(runs.slots)
        )
        return learn_B

    def _shares(self, runs: Runs, over_B: BoolArray) -> FloatArray:
        """`[B]` EMA over 32 rows of whether a row is over the gate, row by row; keeps the last."""
        columns, slots = self.columns, runs.slots
        phase_K = columns["judged"][slots] % BLOCK
        share_B1, sum_K1 = SHARE.run(
            runs, columns["over"][slots][:, None], phase_K, over_B[:, None].astype(float)
        )
        columns["over"][slots] = sum_K1[:, 0]
        columns["judged"][slots] += runs.counts
        return share_B1[:, 0]

    def _durations(self, runs: Runs, inside_B: BoolArray) -> IntArray:
        """`[B]` rows since the key's quarantine began, row by row; keeps the last."""
        columns, slots = self.columns, runs.slots
        row_S, begin_S = np.arange(len(inside_B)), np.repeat(runs.starts, runs.counts)
        outside_S = np.maximum.accumulate(np.where(inside_B[runs.order], -1, row_S))
        held_S = np.repeat(columns["quarantined"][slots], runs.counts)
        duration_S = np.where(outside_S >= begin_S, row_S - outside_S, held_S + row_S - begin_S + 1)
        columns["quarantined"][slots] = duration_S[runs.starts + runs.counts - 1]
        duration_B = np.empty_like(duration_S)
        duration_B[runs.order] = duration_S
        return duration_B

    def _remember(self, runs: Runs, score_B: FloatArray, open_B: BoolArray) -> None:
        """Add the scores of rows outside quarantine to the key's and the pool's histogram."""
        rows = np.flatnonzero(open_B)
        add_scores(self.columns["scores"], runs, rows, score_B[rows], MEMORY_ROWS)
        add_to_pool(self.pool_N, score_B[rows], MEMORY_ROWS)

    def state_dict(self) -> dict[str, Any]:
        """Every key's gate, and the scores of all keys."""
        return {"columns": self.columns.state_dict(), "pool": self.pool_N.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the gates, at an epoch boundary."""
        self.columns.load_state_dict(state["columns"])
        self.pool_N = np.array(state["pool"])
