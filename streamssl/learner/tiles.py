"""Inference in tiles of a fixed number of rows.

The bits of a matrix product depend on its shape. Every product here has the same one, whatever
rows are asked for together: how a poll cut the stream changes nothing.

B = events, T = steps, C = channels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from streamssl.events import Float32Array

TILE = 128  # weights are read once a tile, so smaller ones take longer per row


def in_tiles(
    function: Callable[[Tensor], tuple[Tensor, ...]], x_BTC: Float32Array, device: torch.device
) -> tuple[Float32Array, ...]:
    """Apply `function` to tiles of `TILE` rows, the last one padded with zeros.

    The rows are copied into a buffer of their own, so alignment does not depend on the caller's.
    """
    num_rows = len(x_BTC)
    num_tiles = max(-(-num_rows // TILE), 1)
    buffer_NTC = torch.zeros((num_tiles * TILE, *x_BTC.shape[1:]))
    buffer_NTC[:num_rows] = torch.from_numpy(np.ascontiguousarray(x_BTC))
    tiles = [function(tile_BTC) for tile_BTC in torch.split(buffer_NTC.to(device), TILE)]
    columns = zip(*tiles, strict=True)
    return tuple(torch.cat(column)[:num_rows].cpu().numpy() for column in columns)
