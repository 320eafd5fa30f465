"""Linear recurrent units (Orvieto et al. 2023, https://arxiv.org/abs/2303.06349).

B = events, T = steps, C = channels, H = units, D = embedding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from streamssl.modalities.sensor.backbone import Backbone
from streamssl.objectives.layers import Linear

# docs/research-log.md, "Constants of the arithmetic"
RADIUS = (0.5, 0.99)


class LinearRecurrent(Backbone):
    """Damped oscillations driven by the channels, read out through a hidden layer.

    s ← λ ∘ s + γ ∘ B x, complex, λ = exp(-e^ν + i e^θ), γ = √(1 - |λ|²); embedding =
    W_2 gelu(W_1 [Re s, Im s] + V x + b_1) + b_2 at the newest step.

    Args:
        num_channels: C.
        window: T.
        hidden: H.
        embedding: D.
    """

    def __init__(self, *, num_channels: int, window: int, hidden: int, embedding: int) -> None:
        super().__init__(num_channels=num_channels, window=window)
        radius_H = torch.empty(hidden).uniform_(*RADIUS)
        phase_H = torch.empty(hidden).uniform_(0.0, math.pi)
        self.log_decay_H = nn.Parameter((-radius_H.log()).log())
        self.log_phase_H = nn.Parameter(phase_H.log())
        self.input = Linear(num_channels, 2 * hidden, bias=False)
        self.mixed = Linear(2 * hidden, hidden)
        self.skip = Linear(num_channels, hidden, bias=False)
        self.output = Linear(hidden, embedding)

    def states(self, stem_BTC: Tensor) -> Tensor:
        """The state `[B, T, 2 H]` after each step, real parts first."""
        return torch.stack([torch.cat(parts, 1) for parts in self._run(stem_BTC)], 1)

    def forward(self, stem_BTC: Tensor) -> Tensor:
        """The embedding `[B, D]` of each window."""
        *_, newest = self._run(stem_BTC)
        newest_BC = stem_BTC[:, -1].contiguous()
        mixed_BH = self.mixed(torch.cat(newest, 1)) + self.skip(newest_BC)
        embedding_BD: Tensor = self.output(nn.functional.gelu(mixed_BH))
        return embedding_BD

    def _run(self, stem_BTC: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Real and imaginary part `[B, H]` of the state after each step."""
        radius_H = torch.exp(-torch.exp(self.log_decay_H))
        phase_H = torch.exp(self.log_phase_H)
        a_H, b_H = radius_H * torch.cos(phase_H), radius_H * torch.sin(phase_H)
        gain_H = torch.sqrt(1.0 - radius_H * radius_H)
        driven = self.input(stem_BTC) * torch.cat([gain_H, gain_H])
        real_BH = imaginary_BH = torch.zeros_like(driven[:, 0, : len(a_H)])
        for drive_BG in driven.unbind(1):
            drive = drive_BG.chunk(2, 1)
            real_BH, imaginary_BH = (
                torch.addcmul(drive[0], a_H, real_BH).addcmul(b_H, imaginary_BH, value=-1.0),
                torch.addcmul(drive[1], a_H, imaginary_BH).addcmul(b_H, real_BH),
            )
            yield real_BH, imaginary_BH
