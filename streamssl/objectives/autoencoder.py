"""Denoising autoencoder (Vincent et al. 2008, https://doi.org/10.1145/1390156.1390294).

B = samples, T = steps, C = channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from streamssl.objectives.base import Network, Objective, Sample, Term, smooth_l1


def corrupt(x_BTC: Tensor, generator: torch.Generator, *, noise: float, mask: float) -> Tensor:
    """Add white noise and hide whole channels, each with probability `mask`."""
    noise_BTC = torch.empty_like(x_BTC).normal_(0.0, noise, generator=generator)
    draw_B1C = torch.empty_like(x_BTC[:, :1]).uniform_(generator=generator)
    return noise_BTC.add_(x_BTC).mul_(draw_B1C >= mask)


class Autoencoder(Objective):
    """The clean window from a noisy one of which whole channels are hidden.

    Args:
        weight: Factor of this term in the sum.
        noise: Standard deviation of the added noise.
        mask: Share of channels hidden.
    """

    def __init__(self, *, weight: float, noise: float, mask: float) -> None:
        super().__init__(weight=weight)
        self.noise = noise
        self.mask = mask

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """Smooth-L1(decode(f(corrupted)), clean)."""
        del teacher
        x_BTC = sample.window_BTC
        corrupted_BTC = corrupt(x_BTC, generator, noise=self.noise, mask=self.mask)
        reconstruction_BSC = student.decode(student.encode(corrupted_BTC))
        return Term(smooth_l1(reconstruction_BSC, student.summarise(x_BTC)))
