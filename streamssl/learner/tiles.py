"""Inference in tiles of a fixed number of rows.

The bits of a matrix product depend on its shape. Every product here has the same one, whatever
rows are asked for together: how a poll cut the stream changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from streamssl.data.events import Float32Array
from streamssl.data.inputs import InputSpec, LazyInputs, num_inputs

TILE = 128  # weights are read once a tile, so smaller ones take longer per row


def in_tiles(
    function: Callable[[dict[str, Tensor]], tuple[Tensor, ...]],
    inputs: LazyInputs,
    spec: InputSpec,
    device: torch.device,
) -> tuple[Float32Array, ...]:
    """Apply `function` to tiles of `TILE` inputs, the last one padded with zeros.

    Inputs are made tile by tile, while they fit the processor's cache, in buffers of ours: so
    alignment does not depend on theirs.
    """
    tile = {name: torch.from_numpy(array) for name, array in spec.zeros(TILE).items()}
    given: list[tuple[Tensor, ...]] = []
    for begin in range(0, max(len(inputs), 1), TILE):
        rows = inputs[begin : begin + TILE]
        for name, buffer in tile.items():
            buffer.numpy()[: num_inputs(rows)] = rows[name]
            buffer[num_inputs(rows) :] = 0
        given.append(function({name: buffer.to(device) for name, buffer in tile.items()}))
    columns = zip(*given, strict=True)
    return tuple(torch.cat(column)[: len(inputs)].cpu().numpy() for column in columns)
