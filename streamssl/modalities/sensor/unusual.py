"""Which rows are unusual for some while: those whose residuals were large in the last events.

B = events, C = channels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamssl.arithmetic.histogram import NUM_BINS, Above, add_to_pool, quantile
from streamssl.arithmetic.moments import MEMORY_ROWS
from streamssl.arithmetic.scan import BLOCK, EmaScan
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs

# docs/research-log.md, "Constants of the arithmetic"
RARE_QUANTILE = 0.97  # of the rows' energy, above which one is large
LASTING_SPAN = 8
LASTING_SHARE = 0.5  # of the last events that are large


class UnusualAdvance(NamedTuple):
    """Averages of the keys after a batch (not yet written)."""

    slots: IntArray
    sum_K1: FloatArray


class UnusualRows:
    """A row is unusual where EMA_8 [mean_c u^2 > q] > 1/2, q the .97 quantile over all keys.

    The quantile is that of past epochs.
    """

    def __init__(self) -> None:
        self.columns = KeyColumns(large=((1,), np.float64, 0.0))
        self._scan = EmaScan(np.array([2.0 / (LASTING_SPAN + 1.0)]))
        self._counts_N = np.zeros(NUM_BINS)
        self._limit = np.inf

    def read(
        self, runs: Runs, age_K: IntArray, residual_BC: Float32Array
    ) -> tuple[BoolArray, UnusualAdvance]:
        """`[B]` which events are unusual; changes nothing.

        Args:
            runs: How they fall to keys.
            age_K: Events of the keys before the batch.
            residual_BC: In deviations, bounded.
        """
        large_B1 = (energy(residual_BC) > self._limit).astype(np.float64)[:, None]
        held_K1 = self.columns["large"][runs.slots]
        share_B1, sum_K1 = self._scan.run(runs, held_K1, age_K % BLOCK, large_B1)
        return share_B1[:, 0] > LASTING_SHARE, UnusualAdvance(runs.slots, sum_K1)

    def write(self, advance: UnusualAdvance) -> None:
        """Move on to what `read` returned."""
        self.columns["large"][advance.slots] = advance.sum_K1

    def learn(self, residual_BC: Float32Array) -> None:
        """Move the quantile on by an epoch's rows; those without any residual say nothing."""
        energy_B = energy(residual_BC)
        add_to_pool(self._counts_N, energy_B[energy_B > 0.0], MEMORY_ROWS)
        self._find_limit()

    def _find_limit(self) -> None:
        known = self._counts_N.sum() > 0.0
        above = Above.of(self._counts_N[None])
        self._limit = float(quantile(above, RARE_QUANTILE)[0]) if known else np.inf

    def state_dict(self) -> dict[str, Any]:
        """Averages of every key, and the counts of all."""
        return {"columns": self.columns.state_dict(), "counts": self._counts_N.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state["columns"])
        self._counts_N = np.array(state["counts"])
        self._find_limit()


def energy(residual_BC: Float32Array) -> FloatArray:
    """`[B]` mean of the squares."""
    found_B: FloatArray = np.einsum("bc,bc->b", residual_BC, residual_BC).astype(np.float64)
    return found_B / max(residual_BC.shape[1], 1)
