"""The networks' inputs of a batch: windows to learn from, and their summaries to be read.

B = events, L = rows, T = steps, S = summary rows, C = channels.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch

from streamssl.data.events import Float32Array, IntArray
from streamssl.data.inputs import Inputs, LazyInputs
from streamssl.modalities.sensor.context import pieces
from streamssl.modalities.sensor.encoder import block_means, block_sizes, total
from streamssl.modalities.sensor.views import past


class SensorWindows(LazyInputs):
    """The last rows of each event's key: within +-5, 0 where unseen.

    Args:
        z_LC: Standardised rows, one key after another.
        place_B: Where each event's row is.
        steps: T.
        next_step: Whether the window before the last row is read, too.
        sizes: Rows that each row of what is read is the mean of; by default `block_sizes`.
    """

    def __init__(
        self,
        z_LC: Float32Array,
        place_B: IntArray,
        steps: int,
        *,
        next_step: bool = False,
        sizes: list[int] | None = None,
    ) -> None:
        self._z_LC, self._steps, self._next_step = z_LC, steps, next_step
        self._first_B = place_B - steps + 1
        blocks = block_sizes(steps, z_LC.shape[1])
        self._blocks = _Means(z_LC, self._first_B, blocks)
        self._stem = self._blocks
        if sizes not in (None, blocks):
            self._stem = _Means(z_LC, self._first_B, sizes)

    def __len__(self) -> int:
        """Number of events."""
        return len(self._first_B)

    def __getitem__(self, rows: slice | IntArray) -> Inputs:
        """`[rows, T, C]` windows."""
        num_channels = self._z_LC.shape[1]
        # Rows of a key are neighbours, so a window is one piece of memory.
        flat = pieces(self._z_LC, self._steps)[self._first_B[rows] * num_channels]
        return {"window": flat.reshape(len(flat), self._steps, num_channels)}

    def for_inference(self, rows: slice | IntArray) -> Inputs:
        """`[rows, S, C]` stems of the backbone; with `next_step` those of one row earlier, too."""
        inputs = {"summary": self._stem.of(rows)}
        if self._next_step:
            before_BTC = past(torch.from_numpy(self[rows]["window"]))
            inputs["before"] = block_means(before_BTC, self._stem.sizes).numpy()
        return inputs

    def blocks(self, rows: slice | IntArray) -> Float32Array:
        """`[rows, S, C]` the means over blocks of each window's rows."""
        return self._blocks.of(rows)


class _Means:
    """Means over blocks of rows of a batch's windows.

    Windows of consecutive events overlap: a sum serves all that have it.

    Args:
        z_LC: Rows, one key after another.
        first_B: Where each event's window begins.
        sizes: Rows of each block.
    """

    def __init__(self, z_LC: Float32Array, first_B: IntArray, sizes: list[int]) -> None:
        self._z_LC, self._first_B, self.sizes = z_LC, first_B, sizes
        self._last: tuple[slice, Float32Array] | None = None

    def of(self, rows: slice | IntArray) -> Float32Array:
        """`[rows, S, C]` of some events; a slice may be asked for twice in a row."""
        if isinstance(rows, slice) and self._last is not None and self._last[0] == rows:
            return self._last[1]
        means_MC, row_S = self._means
        found: Float32Array = np.take(means_MC, self._first_B[rows, None] + row_S, axis=0)
        if isinstance(rows, slice):  # By a scorer, and by the networks.
            self._last = rows, found
        return found

    @cached_property
    def _means(self) -> tuple[Float32Array, IntArray]:
        """Means over blocks that begin at each row, by size; rows from a window's first to each."""
        sizes, num_rows = sorted(set(self.sizes)), len(self._z_LC)
        means_MC = np.zeros((len(sizes) * num_rows, self._z_LC.shape[1]), np.float32)
        for number, size in enumerate(sizes):
            begin, count = number * num_rows, max(num_rows - size + 1, 0)
            shifted = [self._z_LC[shift : shift + count] for shift in range(size)]
            np.divide(total(shifted), size, out=means_MC[begin : begin + count])
        begin_S = np.cumsum([0, *self.sizes[:-1]])
        return means_MC, begin_S + np.searchsorted(sizes, self.sizes) * num_rows
