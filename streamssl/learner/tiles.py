"""Inference in tiles of a fixed number of rows.

The bits of a matrix product depend on its shape. Every product here has the same one, whatever
rows are asked for together: how a poll cut the stream changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from streamssl.data.events import Float32Array
from streamssl.data.inputs import LazyInputs

TILE = 128  # weights are read once a tile, so smaller ones take longer per row


def in_tiles(
    function: Callable[[dict[str, Tensor]], tuple[Tensor, ...]],
    inputs: LazyInputs,
    device: torch.device,
) -> tuple[Float32Array, ...]:
    """Apply `function` to tiles of `TILE` inputs, the last one padded with zeros.

    Inputs are made tile by tile, while they fit the processor's cache, in buffers of ours: so
    alignment does not depend on theirs.
    """
    tile: dict[str, Tensor] = {}
    given: list[tuple[Tensor, ...]] = []
    for begin in range(0, max(len(inputs), 1), TILE):
        for name, array in inputs.for_inference(slice(begin, begin + TILE)).items():
            rows = torch.from_numpy(array)
            if name not in tile:
                tile[name] = rows.new_zeros((TILE, *rows.shape[1:]))
            tile[name][: len(rows)] = rows
            tile[name][len(rows) :] = 0
        given.append(function({name: buffer.to(device) for name, buffer in tile.items()}))
    columns = zip(*given, strict=True)
    return tuple(torch.cat(column)[: len(inputs)].cpu().numpy() for column in columns)
