"""Denoising autoencoder (Vincent et al. 2008, https://doi.org/10.1145/1390156.1390294)."""

from __future__ import annotations

import torch

from streamssl.objectives.base import Objective, Sample, Term, smooth_l1
from streamssl.objectives.network import Network


class Autoencoder(Objective):
    """The clean stem of an input from a noisy one of which whole parts are hidden.

    Args:
        weight: Factor of this term in the sum.
        noise: Standard deviation of the added noise.
        mask: Share of the parts hidden.
    """

    needs = frozenset({"stem", "corrupt", "embed", "decode"})

    def __init__(self, *, weight: float, noise: float, mask: float) -> None:
        super().__init__(weight=weight)
        self.noise = noise
        self.mask = mask

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """Smooth-L1(decode(embed(s̃)), s): the clean stem s from its corruption s̃."""
        del teacher
        clean = student.stem(sample.inputs)
        corrupted = student.corrupt(clean, generator, noise=self.noise, mask=self.mask)
        return Term(smooth_l1(student.decode(student.embed(corrupted)), clean))
