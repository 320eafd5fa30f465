"""How far each channel jumps from one row to the next, in units of what it usually moves.

A Gaussian of a signal that wanders knows its steps only as far as its ridge lets it: a jump of
twenty steps of a random walk can lie within what it takes for noise. The change itself says it.

B = events, N = recent rows, C = channels, K = keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.arithmetic.missing import missing_to_zero
from streamssl.arithmetic.moments import learning_rate
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs, of_rows

# docs/research-log.md, "Constants of the arithmetic"
FARTHEST_JUMP = 20.0  # usual changes, up to which one counts
LEAST_USUAL = 1e-38  # whose inverse float32 holds
ROWS_BACK = 2  # a return to what was before a single odd row is no jump
STEP_DEVIATIONS = 1.2533  # of changes, in their mean size: (pi / 2)^1/2 if they are normal


class Jumps:
    """Root mean square changes of channels, per key.

    Args:
        num_channels: C.
    """

    def __init__(self, *, num_channels: int) -> None:
        self.columns = KeyColumns(usual=((num_channels,), np.float64, 0.0))  # 0 = unknown

    def read(self, slot_B: IntArray, recent_BNC: Float32Array) -> Float32Array:
        """`[B, C]` min_k |x - x_k| / s over the two rows before, at most 20; 0 where unknown.

        Args:
            slot_B: Slots of the rows' keys.
            recent_BNC: The keys' last rows, the newest last, NaN where never seen.
        """
        runs = Runs(slot_B)
        usual_KC = self.columns["usual"][runs.slots]
        inverse_KC = np.where(usual_KC > 0.0, 1.0 / np.maximum(usual_KC, LEAST_USUAL), 0.0)
        newest_BC = recent_BNC[:, -1]
        with np.errstate(over="ignore", invalid="ignore"):  # What is beyond float32 is far enough.
            change_BC = np.abs(newest_BC - recent_BNC[:, -2])
            for back in range(2, min(ROWS_BACK, recent_BNC.shape[1] - 1) + 1):
                np.fmin(change_BC, np.abs(newest_BC - recent_BNC[:, -1 - back]), out=change_BC)
            change_BC *= of_rows(inverse_KC.astype(np.float32), runs.group)
        np.minimum(change_BC, np.float32(FARTHEST_JUMP), out=change_BC)
        missing_to_zero(change_BC)
        return change_BC

    def learn(
        self, runs: Runs, jump_BC: Float32Array, count_KC: FloatArray, step_KC: FloatArray
    ) -> None:
        """s^2 <- (1 - r) s^2 + r mean(jump^2) s^2 over an epoch's rows.

        Args:
            runs: How the rows fall to keys.
            jump_BC: As `read` gave them.
            count_KC: Rows of the keys' channels, those of the epoch included.
            step_KC: Mean changes of channels, where a jump is not measured yet; 0 = unknown.
        """
        usual_KC = self.columns["usual"][runs.slots]
        square_SC = runs.sorted(jump_BC).astype(np.float64) ** 2
        mean_KC = np.add.reduceat(square_SC, runs.starts, axis=0) / runs.counts[:, None]
        rate_KC = np.minimum(learning_rate(count_KC, runs.counts[:, None].astype(float)), 1.0)
        moved_KC = usual_KC * np.sqrt(1.0 + rate_KC * (mean_KC - 1.0))
        self.columns["usual"][runs.slots] = np.where(
            usual_KC > 0.0, moved_KC, STEP_DEVIATIONS * step_KC
        )

    def state_dict(self) -> dict[str, Any]:
        """Usual changes of every key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)
