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
    """

    def __init__(
        self, z_LC: Float32Array, place_B: IntArray, steps: int, *, next_step: bool = False
    ) -> None:
        self._z_LC, self._steps, self._next_step = z_LC, steps, next_step
        self._first_B = place_B - steps + 1
        self._sizes = block_sizes(steps, z_LC.shape[1])
        self._last: tuple[slice | IntArray, Float32Array] | None = None

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
        """`[rows, S, C]` summaries; with `next_step` those of one row earlier beside them."""
        inputs = {"summary": self.blocks(rows)}
        if self._next_step:
            before_BTC = past(torch.from_numpy(self[rows]["window"]))
            inputs["before"] = block_means(before_BTC, self._sizes).numpy()
        return inputs

    def blocks(self, rows: slice | IntArray) -> Float32Array:
        """`[rows, S, C]` the means over blocks of each window's rows."""
        if self._last is None or not isinstance(rows, slice) or self._last[0] != rows:
            means_MC, row_S = self._means
            place_BS = self._first_B[rows, None] + row_S
            # Asked for twice in a row: by a scorer, and by the networks.
            self._last = rows, np.take(means_MC, place_BS, axis=0)
        return self._last[1]

    @cached_property
    def _means(self) -> tuple[Float32Array, IntArray]:
        """Means over blocks that begin at each row, by size; rows from a window's first to each.

        Windows of consecutive events overlap: a sum serves all that have it.
        """
        sizes, num_rows = sorted(set(self._sizes)), len(self._z_LC)
        means_MC = np.zeros((len(sizes) * num_rows, self._z_LC.shape[1]), np.float32)
        for number, size in enumerate(sizes):
            begin, count = number * num_rows, max(num_rows - size + 1, 0)
            shifted = [self._z_LC[shift : shift + count] for shift in range(size)]
            np.divide(total(shifted), size, out=means_MC[begin : begin + count])
        begin_S = np.cumsum([0, *self._sizes[:-1]])
        return means_MC, begin_S + np.searchsorted(sizes, self._sizes) * num_rows
