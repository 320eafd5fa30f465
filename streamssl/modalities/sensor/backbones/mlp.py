"""Two hidden layers over the whole window.

B = events, T = steps, C = channels, D = embedding.
"""

from __future__ import annotations

from torch import Tensor, nn

from streamssl.modalities.sensor.backbone import Backbone
from streamssl.objectives.layers import Linear


class Mlp(Backbone):
    """Embedding = W_3 gelu(W_2 gelu(W_1 x + b_1) + b_2) + b_3, x every value of the window.

    Args:
        num_channels: C.
        window: T.
        hidden: Width of the hidden layers.
        embedding: D.
    """

    def __init__(self, *, num_channels: int, window: int, hidden: int, embedding: int) -> None:
        super().__init__(num_channels=num_channels, window=window)
        self.layers = nn.Sequential(
            Linear(window * num_channels, hidden),
            nn.GELU(),
            Linear(hidden, hidden),
            nn.GELU(),
            Linear(hidden, embedding),
        )

    def forward(self, stem_BTC: Tensor) -> Tensor:
        """The embedding `[B, D]` of each window."""
        embedding_BD: Tensor = self.layers(stem_BTC.flatten(1))
        return embedding_BD
