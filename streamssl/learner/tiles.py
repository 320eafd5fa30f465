"""Inference in tiles of a fixed number of rows.

The bits of a matrix product depend on its shape. Every product here has the same one, whatever
rows are asked for together: how a poll cut the stream changes nothing.

B = events, T = steps, C = channels.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from streamssl.events import Float32Array
from streamssl.modalities import Windows

TILE = 128  # weights are read once a tile, so smaller ones take longer per row


def in_tiles(
    function: Callable[[Tensor], tuple[Tensor, ...]], windows: Windows, device: torch.device
) -> tuple[Float32Array, ...]:
    """Apply `function` to tiles of `TILE` windows, the last one padded with zeros.

    Windows are made tile by tile, while they fit the processor's cache, in a buffer of ours: so
    alignment does not depend on theirs.
    """
    tile_BTC = torch.zeros((TILE, *windows[:0].shape[1:]))
    given: list[tuple[Tensor, ...]] = []
    for begin in range(0, max(len(windows), 1), TILE):
        rows = windows[begin : begin + TILE]
        tile_BTC.numpy()[: len(rows)] = rows
        tile_BTC[len(rows) :] = 0.0
        given.append(function(tile_BTC.to(device)))
    columns = zip(*given, strict=True)
    return tuple(torch.cat(column)[: len(windows)].cpu().numpy() for column in columns)
