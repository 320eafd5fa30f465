"""Denoising autoencoder (Vincent et al. 2008, https://doi.org/10.1145/1390156.1390294).

B = samples, S = summary rows, C = channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from streamssl.objectives.base import Network, Objective, Sample, Term, smooth_l1


def corrupt(
    summary_BSC: Tensor, rows_S: Tensor, generator: torch.Generator, *, noise: float, mask: float
) -> Tensor:
    """Add white noise and hide whole channels, each with probability `mask`.

    The mean of R rows with noise of their own is off by that noise over the root of R: the
    encoder sees summaries only, so it is added there, and there is half as much to draw.
    """
    noise_BSC = torch.empty_like(summary_BSC).normal_(0.0, noise, generator=generator)
    noise_BSC.mul_(rows_S.rsqrt()[:, None]).add_(summary_BSC)
    draw_B1C = torch.empty_like(summary_BSC[:, :1]).uniform_(generator=generator)
    return noise_BSC.mul_(draw_B1C >= mask)


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
        summary_BSC, rows_S = student.summarise(sample.window_BTC), student.rows_S
        corrupted_BSC = corrupt(summary_BSC, rows_S, generator, noise=self.noise, mask=self.mask)
        return Term(smooth_l1(student.decode(student.embed(corrupted_BSC)), summary_BSC))
