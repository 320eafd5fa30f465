"""A causal encoder of sensor windows that is cheap enough to run on every event.

B = events, T = steps, S = summary rows, C = channels, M = mixed channels, D = embedding.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor, nn

RECENT = 8  # newest rows seen one by one
BLOCKS = 4  # then so many blocks of 2 rows, of 4, of 8, ...
MAX_CHANNELS = 64  # above it a learned mix, and half as many summary rows


def block_sizes(window: int, recent: int = RECENT, blocks: int = BLOCKS) -> list[int]:
    """Rows of each summary row, oldest first: fine near the present, coarse in the past.

    Example:
        >>> block_sizes(32)
        [4, 4, 4, 4, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    sizes = [1] * min(recent, window)
    size = 2
    while sum(sizes) < window:
        for _ in range(blocks):
            sizes.append(min(size, window - sum(sizes)))
        size *= 2
    return [size for size in reversed(sizes) if size]


def summary_matrix(sizes: list[int]) -> Tensor:
    """`[S, T]`: each summary row is the mean of its block of consecutive rows."""
    matrix_ST = torch.zeros(len(sizes), sum(sizes))
    for row, (end, size) in enumerate(zip(accumulate(sizes), sizes, strict=True)):
        matrix_ST[row, end - size : end] = 1.0 / size
    return matrix_ST


class WindowEncoder(nn.Module):
    """Summary rows, a channel mix where there are many, then two layers and a linear path.

    The last row of the window is the present: nothing later exists, so the encoder is causal.
    There is no normalisation across the batch: an event's embedding does not depend on the
    events scored beside it.

    Args:
        num_channels: C.
        window: T.
        hidden: Width of the hidden layer.
        embedding: D.
    """

    summary_ST: Tensor
    share_S: Tensor
    rows_S: Tensor

    def __init__(self, *, num_channels: int, window: int, hidden: int, embedding: int) -> None:
        super().__init__()
        halved = 2 if num_channels > MAX_CHANNELS else 1
        sizes = block_sizes(window, RECENT // halved, BLOCKS // halved)
        self.register_buffer("summary_ST", summary_matrix(sizes), persistent=False)
        self.register_buffer("rows_S", torch.tensor(sizes).float(), persistent=False)
        share_S = torch.tensor(sizes) / window
        self.register_buffer("share_S", share_S, persistent=False)
        mixed = min(num_channels, MAX_CHANNELS)
        self.mix = nn.Linear(num_channels, mixed, bias=False) if mixed < num_channels else None
        features = len(self.summary_ST) * mixed
        self.input = nn.Linear(features, hidden)
        self.output = nn.Linear(hidden, embedding)
        self.linear = nn.Linear(features, embedding, bias=False)

    def summarise(self, x_BTC: Tensor) -> Tensor:
        """The summary `[B, S, C]` of each window."""
        return torch.matmul(self.summary_ST, x_BTC)

    def forward(self, summary_BSC: Tensor) -> Tensor:
        """The embedding `[B, D]` of each summary."""
        if self.mix is not None:
            summary_BSC = self.mix(summary_BSC)
        features_BF = summary_BSC.flatten(1)
        hidden_BH = nn.functional.gelu(self.input(features_BF))
        embedding_BD: Tensor = self.output(hidden_BH) + self.linear(features_BF)
        return embedding_BD
