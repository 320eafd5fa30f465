"""Barlow twins (Zbontar et al. 2021, https://arxiv.org/abs/2103.03230).

B = samples, E = width of the expander.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from streamssl.objectives.base import Sample, Term
from streamssl.objectives.network import Network
from streamssl.objectives.pairs import Expanded

# docs/research-log.md, "Constants of the arithmetic"
LEAST_SPREAD = 1e-5


def standardised(z_BE: Tensor) -> Tensor:
    """(z - mean) / √(Var + ε) of each dimension over the batch."""
    return (z_BE - z_BE.mean(0)) / (z_BE.var(0, correction=0) + LEAST_SPREAD).sqrt()


def redundancy(first_BE: Tensor, second_BE: Tensor, *, factor: float) -> Tensor:
    """(Σ (1 - C_ii)² + λ Σ_{i≠j} C_ij²) / E, C the cross-correlation; zero below two samples."""
    if len(first_BE) < 2:
        return (first_BE + second_BE).sum() * 0.0
    correlation_EE = standardised(first_BE).T @ standardised(second_BE) / len(first_BE)
    diagonal_E = correlation_EE.diagonal()
    off_diagonal = correlation_EE.square().sum() - diagonal_E.square().sum()
    loss = (1.0 - diagonal_E).square().sum() + factor * off_diagonal
    return loss / len(diagonal_E)


class BarlowTwins(Expanded):
    """Each dimension of one view goes with the same of the other, and with no other one.

    Divided by the number of dimensions, so that its weight means the same at every width.

    Args:
        redundancy: Factor λ of the elements off the diagonal.
        expanded: What `Expanded` takes.
    """

    def __init__(self, *, redundancy: float, **expanded: Any) -> None:
        super().__init__(**expanded)
        self.factor = redundancy

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """The cross-correlation of two views of the student against the identity."""
        del teacher
        return Term(redundancy(*self.views(student, sample, generator), factor=self.factor))
