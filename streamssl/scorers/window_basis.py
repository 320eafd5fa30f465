"""The usual shapes of windows: principal directions of their blocks, and what they leave over.

A window comes as the means of its blocks of rows. Of all keys' windows, in the units of their
keys, a sketch of the covariance is summed up; the directions are solved from it at doublings of
the rows learned. What is left of a window is told by two numbers a part: of its last row, and of
its mean.

B = events, S = blocks, P = parts, F = S * P, R = residuals, K = columns of the sketch,
Q = directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.arithmetic.projection import random_projection
from streamssl.arithmetic.sketch import principal_directions
from streamssl.arithmetic.sums import CrossSums
from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import Float32Array

# docs/research-log.md, "Constants of the arithmetic"
RANK = 16
SKETCH = 64  # columns of the sketch: the memory of the sums grows with the width, not its square
FIRST_ROWS = 256  # learned before the first solution
ALL_ROWS = 4_096  # learned, of which every one is sampled
LEAST_SAMPLE = 1.0 / 8.0  # share of the rows that are sampled, of many
SEED = 16  # of the sketch, beside other projections of the same seed


class WindowBasis:
    """Principal directions V of block means b, and what b - V V' b says of its rows.

    The residual is that of the last row, and of the mean of all rows: sum_s size_s / T r_s. V
    changes at `solve` only; the residual depends on the space that V spans, not on its columns.

    Args:
        block_sizes: Rows of each block, oldest first; the last block is the newest row.
        num_parts: P.
        max_features: Longer residuals go through a seeded projection to this size.
        seed: Seed of the projections.

    Attributes:
        rows: Rows learned, those that were not sampled included.
        solved: How many of them there were at the last solution, 0 before the first.
        num_residuals: R.
        projection: `[2P, R]` what residuals go through, None where they are short enough.
    """

    def __init__(
        self, *, block_sizes: tuple[int, ...], num_parts: int, max_features: int, seed: int
    ) -> None:
        self._share_S = (np.array(block_sizes) / sum(block_sizes)).astype(np.float32)
        self._grid = (len(block_sizes), num_parts)
        num_features, self.num_residuals = len(block_sizes) * num_parts, 2 * num_parts
        self.projection: Float32Array | None = None
        if self.num_residuals > max_features:
            self.projection = random_projection(self.num_residuals, max_features, seed)
            self.num_residuals = max_features
        columns = min(SKETCH, num_features)
        self._test_FK = random_projection(num_features, columns, seed + SEED)
        self.sums = CrossSums(num_left=num_features, num_right=columns)
        self.rows = self.solved = 0
        self._set(np.zeros((num_features, min(RANK, columns)), np.float32))

    def _set(self, basis_FQ: Float32Array) -> None:
        """Take over directions, and where each moves the residual."""
        self.basis_FQ = np.ascontiguousarray(basis_FQ, np.float32)
        self._back_QR = self._read(self.basis_FQ.T.reshape(-1, *self._grid))

    def residuals(self, blocks_BSP: Float32Array) -> Float32Array:
        """`[B, R]` what the usual shapes leave of each window's last row and mean.

        Args:
            blocks_BSP: Means of the blocks of each event's window.
        """
        flat_BF = blocks_BSP.reshape(len(blocks_BSP), len(self.basis_FQ))
        left_BR = self._read(blocks_BSP)
        left_BR -= tiled_matmul(tiled_matmul(flat_BF, self.basis_FQ), self._back_QR)
        return left_BR

    def _read(self, blocks_BSP: Float32Array) -> Float32Array:
        """`[B, R]` last row and mean of all rows of what has these blocks."""
        last_BP, mean_BP = blocks_BSP[:, -1], np.einsum("bsp,s->bp", blocks_BSP, self._share_S)
        read_BR = np.concatenate([last_BP, mean_BP], axis=1)
        return read_BR if self.projection is None else tiled_matmul(read_BR, self.projection)

    @property
    def sample_share(self) -> float:
        """Share of the next rows that the sums want: of the first ones all, of many one in 8."""
        return max(LEAST_SAMPLE, min(1.0, ALL_ROWS / max(self.rows, 1)))

    def learn(self, blocks_NSP: Float32Array, rows: int) -> None:
        """Add a sample of the rows learned to the sums; solve at doublings of their number.

        Args:
            blocks_NSP: Blocks of the sampled rows.
            rows: How many were learned.
        """
        x_NF = blocks_NSP.reshape(len(blocks_NSP), len(self._test_FK))
        self.sums.add(x_NF, x_NF @ self._test_FK)
        self.rows += rows
        if self.rows >= max(2 * self.solved, FIRST_ROWS) and self.sums.weight > 0.0:
            self._solve()

    def _solve(self) -> None:
        test_FK, rank = self._test_FK.astype(np.float64), self.basis_FQ.shape[1]
        _, basis_FQ = principal_directions(self.sums.covariance(), test_FK, rank)
        self._set(basis_FQ.astype(np.float32))
        # The doublings of 256 rows, wherever an epoch ended.
        self.solved = FIRST_ROWS << int(np.log2(self.rows / FIRST_ROWS))

    def state_dict(self) -> dict[str, Any]:
        """Sums, directions and counts of rows."""
        counts = np.array([self.rows, self.solved])
        return {"sums": self.sums.state_dict(), "basis_FQ": self.basis_FQ.copy(), "rows": counts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, of the same blocks and parts.

        Raises:
            ValueError: They are others.
        """
        self.sums.load_state_dict(state["sums"])
        self._set(np.array(state["basis_FQ"]))
        self.rows, self.solved = map(int, state["rows"])
