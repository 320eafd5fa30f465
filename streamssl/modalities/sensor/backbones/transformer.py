"""A causal transformer over patches of steps.

Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; patches as in Nie et al. 2023 (PatchTST,
https://arxiv.org/abs/2211.14730), but of all channels together.

B = events, T = steps, C = channels, N = patches, H = hidden, E = heads, K = width of a head,
D = embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamssl.modalities.sensor.backbone import Backbone
from streamssl.objectives.layers import Linear

# docs/research-log.md, "Constants of the arithmetic"
PATCH = 4  # steps
PATCHES = 4  # windows have a multiple of so many, so that matrices of attention are aligned alike
LAYERS = 2
HEAD = 32  # width, where it divides H


class AttentionBlock(nn.Module):
    """x ← x + attention(norm(x)); x ← x + W_2 gelu(W_1 norm(x) + b_1) + b_2.

    Args:
        hidden: H.
    """

    def __init__(self, *, hidden: int) -> None:
        super().__init__()
        self.width = hidden if hidden % HEAD else HEAD
        self.num_heads = hidden // self.width
        self.before_attention = nn.LayerNorm(hidden)
        self.query = Linear(hidden, hidden)
        self.key_value = Linear(hidden, 2 * hidden)
        self.attended = Linear(hidden, hidden)
        self.before_layers = nn.LayerNorm(hidden)
        self.layers = nn.Sequential(
            Linear(hidden, 2 * hidden), nn.GELU(), Linear(2 * hidden, hidden)
        )

    def forward(self, x_BNH: Tensor, *, newest: int) -> Tensor:
        """The `newest` patches `[B, newest, H]`, each from itself and all before it."""
        normed_BNH = self.before_attention(x_BNH)
        x_BNH = x_BNH[:, -newest:] + self._attend(normed_BNH, newest)
        after_BNH: Tensor = x_BNH + self.layers(self.before_layers(x_BNH))
        return after_BNH

    def _attend(self, x_BNH: Tensor, newest: int) -> Tensor:
        """softmax(Q K' / √K over the past) V, heads side by side."""
        query_BENK = self._heads(self.query(x_BNH[:, -newest:].contiguous()))
        key_BENK, value_BENK = map(self._heads, self.key_value(x_BNH).chunk(2, 2))
        scores_BENN = query_BENK @ key_BENK.transpose(2, 3) / query_BENK.shape[3] ** 0.5
        place_N = torch.arange(x_BNH.shape[1], device=x_BNH.device)
        is_later_NN = place_N[None, :] > place_N[-newest:, None]
        share_BENN = scores_BENN.masked_fill(is_later_NN, -torch.inf).softmax(3)
        mixed_BNH: Tensor = self.attended((share_BENN @ value_BENK).transpose(1, 2).flatten(2))
        return mixed_BNH

    def _heads(self, x_BNH: Tensor) -> Tensor:
        num_samples, num_patches, _ = x_BNH.shape
        heads_BNEK = x_BNH.reshape(num_samples, num_patches, self.num_heads, self.width)
        return heads_BNEK.transpose(1, 2).contiguous()


class Transformer(Backbone):
    """Patches of four steps attend to themselves and to those before; the newest is read out.

    Windows are filled up with zeros at their old end. Of the last layer only the newest patch is
    computed.

    Args:
        num_channels: C.
        window: T.
        hidden: H.
        embedding: D.
    """

    def __init__(self, *, num_channels: int, window: int, hidden: int, embedding: int) -> None:
        super().__init__(num_channels=num_channels, window=window)
        self.num_patches = -(-window // (PATCH * PATCHES)) * PATCHES
        self.input = Linear(PATCH * num_channels, hidden)
        self.place_NH = nn.Parameter(torch.randn(self.num_patches, hidden) / hidden**0.5)
        self.blocks_of_attention = nn.ModuleList(
            [AttentionBlock(hidden=hidden) for _ in range(LAYERS)]
        )
        self.norm = nn.LayerNorm(hidden)
        self.output = Linear(hidden, embedding)

    def states(self, stem_BTC: Tensor, *, newest: int | None = None) -> Tensor:
        """The newest patches `[B, N, H]`, by default all; each of what came until its end."""
        missing = self.num_patches * PATCH - stem_BTC.shape[1]
        filled_BTC = nn.functional.pad(stem_BTC, (0, 0, missing, 0))
        patches_BNF = filled_BTC.reshape(len(stem_BTC), self.num_patches, self.input.in_features)
        x_BNH = self.input(patches_BNF) + self.place_NH
        *first, last = self.blocks_of_attention
        for block in first:
            x_BNH = block(x_BNH, newest=self.num_patches)
        states_BNH: Tensor = last(x_BNH, newest=newest or self.num_patches)
        return states_BNH

    def forward(self, stem_BTC: Tensor) -> Tensor:
        """The embedding `[B, D]` of each window."""
        newest_BH = self.states(stem_BTC, newest=1)[:, 0]
        embedding_BD: Tensor = self.output(self.norm(newest_BH))
        return embedding_BD
