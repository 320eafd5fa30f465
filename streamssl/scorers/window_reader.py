"""Inputs of a batch that are looked at once, by the networks and by the window scorer.

B = events, R = residuals.
"""

from __future__ import annotations

import numpy as np

from streamssl.data.events import Float32Array, IntArray
from streamssl.data.inputs import Inputs, LazyInputs
from streamssl.scorers.window_basis import WindowBasis

# docs/research-log.md, "Constants of the arithmetic"
PIECE = 128  # windows cut out at once where no network asks for them


class WindowReader(LazyInputs):
    """Inputs, and what is left of each window; blocks that the networks read are not made again.

    Args:
        inputs: Of the batch.
        basis: The usual shapes; None where nobody looks at windows.
    """

    def __init__(self, inputs: LazyInputs, basis: WindowBasis | None) -> None:
        self._inputs, self._num_read = inputs, 0
        self._basis = basis if basis is not None and basis.solved else None
        num_residuals = basis.num_residuals if basis is not None else 0
        self._left_BR = np.zeros((len(inputs), num_residuals), np.float32)

    def __len__(self) -> int:
        """Number of events."""
        return len(self._inputs)

    def __getitem__(self, rows: slice | IntArray) -> Inputs:
        """The rows' inputs."""
        return self._inputs[rows]

    def for_inference(self, rows: slice) -> Inputs:
        """What the networks read of the rows; the next ones, one piece after another."""
        if self._basis is not None:
            self._left_BR[rows] = self._basis.residuals(self._inputs.blocks(rows))
            self._num_read += len(range(len(self))[rows])
        return self._inputs.for_inference(rows)

    def residuals(self) -> Float32Array:
        """`[B, R]` what the usual shapes leave of each window; 0 before they are known."""
        if self._basis is not None and self._num_read < len(self):
            for begin in range(0, len(self), PIECE):
                self.for_inference(slice(begin, begin + PIECE))
        return self._left_BR
