"""A causal encoder of sensor windows that is cheap enough to run on every event.

B = events, T = steps, S = summary rows, C = channels, M = mixed channels, D = embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from streamssl.modalities.sensor.backbone import Backbone
from streamssl.objectives.layers import Linear

# docs/research-log.md, "Constants of the arithmetic"
RECENT = 8  # newest rows seen one by one
BLOCKS = 4  # then so many blocks of 2 rows, of 4, of 8, ...
MAX_CHANNELS = 64  # above it a learned mix, and half as many summary rows


def block_sizes(window: int, num_channels: int) -> list[int]:
    """Rows of each summary row, oldest first: fine near the present, coarse in the past.

    Example:
        >>> block_sizes(32, num_channels=16)
        [4, 4, 4, 4, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    halved = 2 if num_channels > MAX_CHANNELS else 1
    recent, blocks = RECENT // halved, BLOCKS // halved
    sizes = [1] * min(recent, window)
    size = 2
    while sum(sizes) < window:
        for _ in range(blocks):
            sizes.append(min(size, window - sum(sizes)))
        size *= 2
    return [size for size in reversed(sizes) if size]


def block_means(x_BTC: Tensor, sizes: list[int]) -> Tensor:
    """`[B, S, C]`: each summary row is the mean of its block of consecutive rows.

    Sums of rows, not a product of matrices: a BLAS adds up one window in another order than the
    next where they do not lie in memory alike.
    """
    parts, begin = [], 0
    for size, group in groupby(sizes):
        num_blocks = len([*group])
        end = begin + num_blocks * size
        rows = x_BTC[:, begin:end]
        blocks = rows.reshape(len(x_BTC), num_blocks, size, x_BTC.shape[2])
        parts.append(rows if size == 1 else total(blocks.unbind(2)) / size)
        begin = end
    return torch.cat(parts, 1)


def total(rows: Sequence[Any]) -> Any:
    """Sum of arrays or tensors, in one order: that of the halves' sums."""
    half = len(rows) // 2
    return total(rows[:half]) + total(rows[half:]) if half else rows[0]


class WindowEncoder(Backbone):
    """Summary rows s, a channel mix where there are many, then two layers and a linear path.

    Embedding = W_2 gelu(W_1 s + b_1) + b_2 + W_3 s.

    The last row of the window is the present: nothing later exists, so the encoder is causal.
    There is no normalisation across the batch: an event's embedding does not depend on the
    events scored beside it.

    Args:
        num_channels: C.
        window: T.
        hidden: Width of the hidden layer.
        embedding: D.
    """

    def __init__(self, *, num_channels: int, window: int, hidden: int, embedding: int) -> None:
        super().__init__(num_channels=num_channels, window=window)
        mixed = min(num_channels, MAX_CHANNELS)
        self.mix = nn.Linear(num_channels, mixed, bias=False) if mixed < num_channels else None
        features = len(self.sizes) * mixed
        self.input = Linear(features, hidden)
        self.output = Linear(hidden, embedding)
        self.linear = Linear(features, embedding, bias=False)

    @torch.no_grad()
    def begin_at(self, weight_FD: Tensor, bias_D: Tensor) -> None:
        """Let the first D dimensions begin as a linear map of the summary: the rest is learned.

        A channel mix looks at other numbers than the map: where there is one nothing is changed.
        """
        if self.mix is not None or len(weight_FD) != self.linear.in_features:
            return
        size = min(weight_FD.shape[1], self.linear.out_features)
        self.linear.weight[:size] = weight_FD.T[:size]
        self.output.weight[:size], self.output.bias[:size] = 0.0, bias_D[:size]

    @classmethod
    def blocks(cls, window: int, num_channels: int) -> list[int]:
        """Rows of each summary row, oldest first."""
        return block_sizes(window, num_channels)

    def summarise(self, x_BTC: Tensor) -> Tensor:
        """The summary `[B, S, C]` of each window."""
        return block_means(x_BTC, self.sizes)

    def forward(self, summary_BSC: Tensor) -> Tensor:
        """The embedding `[B, D]` of each summary."""
        if self.mix is not None:
            summary_BSC = self.mix(summary_BSC)
        features_BF = summary_BSC.flatten(1)
        hidden_BH = nn.functional.gelu(self.input(features_BF))
        embedding_BD: Tensor = self.output(hidden_BH) + self.linear(features_BF)
        return embedding_BD
