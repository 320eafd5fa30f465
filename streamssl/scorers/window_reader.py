"""Inputs of a batch whose windows are looked at once, by the networks and by all who read blocks.

B = events, S = blocks, P = parts, D = numbers that are read of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from streamssl.data.events import Float32Array, IntArray
from streamssl.data.inputs import Inputs, LazyInputs

# docs/research-log.md, "Constants of the arithmetic"
PIECE = 128  # windows cut out at once where no network asks for them


class BlockRead(NamedTuple):
    """What somebody reads of windows.

    Attributes:
        size: D.
        read: `[n, D]` of blocks `[n, S, P]`; None where it is zeros still.
    """

    size: int
    read: Callable[[Float32Array], Float32Array] | None


class WindowReader(LazyInputs):
    """Inputs, and what is read of their windows; blocks that networks read are not made again.

    Args:
        inputs: Of the batch.
        reads: By name, what is read.
    """

    def __init__(self, inputs: LazyInputs, reads: Mapping[str, BlockRead]) -> None:
        self._inputs, self._num_read = inputs, 0
        self._reads = {name: read.read for name, read in reads.items() if read.read is not None}
        shapes = {name: (len(inputs), read.size) for name, read in reads.items()}
        self._found = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}

    def __len__(self) -> int:
        """Number of events."""
        return len(self._inputs)

    def __getitem__(self, rows: slice | IntArray) -> Inputs:
        """The rows' inputs."""
        return self._inputs[rows]

    def for_inference(self, rows: slice) -> Inputs:
        """What the networks read of the rows; the next ones, one piece after another."""
        if self._reads:
            blocks_BSP = self._inputs.blocks(rows)
            for name, read in self._reads.items():
                self._found[name][rows] = read(blocks_BSP)
            self._num_read += len(blocks_BSP)
        return self._inputs.for_inference(rows)

    def found(self, name: str) -> Float32Array:
        """`[B, D]` what was asked for under a name; 0 where it is not known yet."""
        if self._reads and self._num_read < len(self):
            for begin in range(0, len(self), PIECE):
                self.for_inference(slice(begin, begin + PIECE))
        return self._found[name]
