"""Variance, invariance, covariance (Bardes et al. 2022, https://arxiv.org/abs/2105.04906).

B = samples, E = width of the expander.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from streamssl.objectives.base import Sample, Term
from streamssl.objectives.network import Network
from streamssl.objectives.pairs import Expanded

# docs/research-log.md, "Constants of the arithmetic"
LEAST_VARIANCE = 1e-4


def invariance(first_BE: Tensor, second_BE: Tensor) -> Tensor:
    """Mean of (z - z')² over samples and dimensions; zero without samples."""
    return (first_BE - second_BE).square().sum() / max(first_BE.numel(), 1)


def variance(z_BE: Tensor) -> Tensor:
    """Mean over the dimensions of max(0, 1 - √(Var z + ε)); zero below two samples."""
    if len(z_BE) < 2:
        return z_BE.new_zeros(())
    deviation_E = (z_BE.var(0) + LEAST_VARIANCE).sqrt()
    return nn.functional.relu(1.0 - deviation_E).mean()


def covariance(z_BE: Tensor) -> Tensor:
    """Sum of Cov(z)² off the diagonal, by the dimensions; zero below two samples."""
    if len(z_BE) < 2:
        return z_BE.new_zeros(())
    centred_BE = z_BE - z_BE.mean(0)
    covariance_EE = centred_BE.T @ centred_BE / (len(z_BE) - 1)
    off_diagonal = covariance_EE.square().sum() - covariance_EE.diagonal().square().sum()
    return off_diagonal / z_BE.shape[1]


class Vicreg(Expanded):
    """Two views agree, every dimension varies, no two dimensions say the same.

    Args:
        invariance, variance, covariance: Factors of the three terms (25 : 25 : 1 in the paper).
        expanded: What `Expanded` takes.
    """

    def __init__(
        self, *, invariance: float, variance: float, covariance: float, **expanded: Any
    ) -> None:
        super().__init__(**expanded)
        self.factors = (invariance, variance, covariance)

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """λ s(Z, Z') + μ (v(Z) + v(Z')) + ν (c(Z) + c(Z')) of two views of the student."""
        del teacher
        first_BE, second_BE = self.views(student, sample, generator)
        terms = (
            invariance(first_BE, second_BE),
            variance(first_BE) + variance(second_BE),
            covariance(first_BE) + covariance(second_BE),
        )
        pairs = zip(self.factors, terms, strict=True)
        return Term(torch.stack([factor * term for factor, term in pairs]).sum())
