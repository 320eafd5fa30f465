"""A temporal convolutional network (Bai et al. 2018, https://arxiv.org/abs/1803.01271).

B = events, T = steps, C = channels, H = hidden, D = embedding.
"""

from __future__ import annotations

from torch import Tensor, nn

from streamssl.modalities.sensor.backbone import Backbone
from streamssl.objectives.layers import Linear


class Tcn(Backbone):
    """Causal convolutions of two taps, dilated by 1, 2, 4, ... until the newest step sees all.

    h ← h_t + gelu(W [h_{t-d}, h_t] + b) at dilation d. Only what the newest step sees is computed:
    each level halves the steps, so all levels together cost as much as one over the whole window.
    Windows are filled up with zeros at their old end to a power of two.

    Args:
        num_channels: C.
        window: T.
        hidden: H.
        embedding: D.
    """

    def __init__(self, *, num_channels: int, window: int, hidden: int, embedding: int) -> None:
        super().__init__(num_channels=num_channels, window=window)
        self.input = Linear(num_channels, hidden)
        num_levels = (window - 1).bit_length()
        self.levels = nn.ModuleList([Linear(2 * hidden, hidden) for _ in range(num_levels)])
        self.output = Linear(hidden, embedding)

    def forward(self, stem_BTC: Tensor) -> Tensor:
        """The embedding `[B, D]` of each window."""
        missing = 2 ** len(self.levels) - stem_BTC.shape[1]
        h_BTH = self.input(nn.functional.pad(stem_BTC, (0, 0, missing, 0)))
        for level in self.levels:
            pairs_BTF = h_BTH.unflatten(1, (-1, 2)).flatten(2)
            h_BTH = h_BTH[:, 1::2] + nn.functional.gelu(level(pairs_BTF))
        embedding_BD: Tensor = self.output(h_BTH[:, -1])
        return embedding_BD
