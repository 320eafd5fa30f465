"""Gated recurrent units (Cho et al. 2014, https://arxiv.org/abs/1406.1078).

B = events, T = steps, C = channels, H = hidden, G = 3 H gates, D = embedding.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from streamssl.modalities.sensor.backbone import Backbone
from streamssl.objectives.layers import Linear


class Gru(Backbone):
    """One layer of units from the oldest step to the newest, whose state is read out.

    r, z = σ(W x + U h); n = tanh(W_n x + r ∘ U_n h); h ← (1 - z) ∘ n + z ∘ h, as torch has it;
    written out, because its own products may give a row other bits at another place.

    Args:
        num_channels: C.
        window: T.
        hidden: H.
        embedding: D.
    """

    def __init__(self, *, num_channels: int, window: int, hidden: int, embedding: int) -> None:
        super().__init__(num_channels=num_channels, window=window)
        self.input = Linear(num_channels, 3 * hidden)
        self.recurrent = Linear(hidden, 3 * hidden)
        self.output = Linear(hidden, embedding)

    def states(self, stem_BTC: Tensor) -> Tensor:
        """The state `[B, T, H]` after each step, of what came until then."""
        return torch.stack([*self._run(stem_BTC)], 1)

    def forward(self, stem_BTC: Tensor) -> Tensor:
        """The embedding `[B, D]` of each window."""
        *_, newest_BH = self._run(stem_BTC)
        embedding_BD: Tensor = self.output(newest_BH)
        return embedding_BD

    def _run(self, stem_BTC: Tensor) -> Iterator[Tensor]:
        """The state `[B, H]` after each step."""
        h_BH = stem_BTC.new_zeros((len(stem_BTC), self.recurrent.in_features))
        for gates_BG in self.input(stem_BTC).unbind(1):
            h_BH = self._step(gates_BG, h_BH)
            yield h_BH

    def _step(self, gates_BG: Tensor, h_BH: Tensor) -> Tensor:
        reset_BH, update_BH, new_BH = gates_BG.chunk(3, 1)
        by_reset_BH, by_update_BH, by_new_BH = self.recurrent(h_BH).chunk(3, 1)
        reset_BH = torch.sigmoid(reset_BH + by_reset_BH)
        update_BH = torch.sigmoid(update_BH + by_update_BH)
        new_BH = torch.tanh(new_BH + reset_BH * by_new_BH)
        return new_BH + update_BH * (h_BH - new_BH)
