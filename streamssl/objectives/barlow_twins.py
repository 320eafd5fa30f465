"""Barlow twins (Zbontar et al. 2021, https://arxiv.org/abs/2103.03230).

B = samples, E = width of the expander.
"""

from __future__ import annotations

import torch
from torch import Tensor

from streamssl.objectives.base import Headed, HeadSizes, Sample, Term
from streamssl.objectives.heads import mlp
from streamssl.objectives.network import Network
from streamssl.objectives.pairs import spread, two_views

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


class BarlowTwins(Headed):
    """Each dimension of one view goes with the same of the other, and with no other one.

    Divided by the number of dimensions, so that its weight means the same at every width.

    Args:
        weight: Factor of this term in the sum.
        every: Steps from one turn to the next.
        samples: Most inputs of a batch that are compared.
        expander: Width of the two layers through which views are compared.
        redundancy: Factor λ of the elements off the diagonal.
        sizes: Of what the network gives.
        generator: Draws the expander's first weights.
    """

    needs = frozenset({"augment"})

    def __init__(
        self,
        *,
        weight: float,
        every: int,
        samples: int,
        expander: int,
        redundancy: float,
        sizes: HeadSizes,
        generator: torch.Generator,
    ) -> None:
        super().__init__(weight=weight, every=every)
        self.samples, self.factor = samples, redundancy
        self.expander = mlp((sizes.embedding, expander, expander), generator)

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """The cross-correlation of two views of the student against the identity."""
        del teacher
        inputs = spread(sample, self.samples).inputs
        views = map(self.expander, two_views(student, inputs, generator))
        return Term(redundancy(*views, factor=self.factor))
