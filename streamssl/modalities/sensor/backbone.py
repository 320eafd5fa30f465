"""What every backbone of the sensor network promises.

B = events, T = steps, S = rows of the stem, C = channels, D = embedding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """From the stem of windows to their embeddings.

    The last row of a window is the present: nothing later exists. A row's bits must not depend on
    its place among the others, and no statistic goes across the batch.

    Args:
        num_channels: C.
        window: T.

    Attributes:
        sizes: Rows of the window that each row of the stem is the mean of.
        rows_S: The same as a tensor.
        share_S: Their shares in the window.
    """

    share_S: Tensor
    rows_S: Tensor

    def __init__(self, *, num_channels: int, window: int) -> None:
        super().__init__()
        self.sizes = self.blocks(window, num_channels)
        rows_S = torch.tensor(self.sizes)
        self.register_buffer("rows_S", rows_S.float(), persistent=False)
        self.register_buffer("share_S", rows_S / window, persistent=False)

    @classmethod
    def blocks(cls, window: int, num_channels: int) -> list[int]:
        """Rows of each row of the stem, oldest first; by default the stem is the window."""
        del num_channels
        return [1] * window

    def summarise(self, x_BTC: Tensor) -> Tensor:
        """The stem `[B, S, C]` of each window."""
        return x_BTC

    def begin_at(self, weight_FD: Tensor, bias_D: Tensor) -> None:
        """Begin at a linear map of the stem; by default there is no linear path to begin with."""

    @abstractmethod
    def forward(self, stem_BSC: Tensor) -> Tensor:
        """The embedding `[B, D]` of each stem."""
