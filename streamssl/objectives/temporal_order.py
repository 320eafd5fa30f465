"""Temporal order (shuffle and learn: Misra et al. 2016, https://arxiv.org/abs/1603.08561)."""

from __future__ import annotations

import torch

from streamssl.objectives.base import Headed, HeadSizes, Sample, Term
from streamssl.objectives.heads import logistic, mlp
from streamssl.objectives.network import Network


class TemporalOrder(Headed):
    """Inputs in order are told from inputs out of order, by their embedding.

    Args:
        weight: Factor of this term in the sum.
        every: Steps from one turn to the next.
        hidden: Width of the judge's hidden layer.
        sizes: Of what the network gives.
        generator: Draws the judge's first weights.
    """

    needs = frozenset({"reorder"})

    def __init__(
        self,
        *,
        weight: float,
        every: int,
        hidden: int,
        sizes: HeadSizes,
        generator: torch.Generator,
    ) -> None:
        super().__init__(weight=weight, every=every)
        self.judge = mlp((sizes.embedding, hidden, 1), generator)

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """½ l(J(f(x)), true) + ½ l(J(f(x out of order)), false), l the logistic loss."""
        del teacher
        mixed = student.reorder(sample.inputs, generator)
        in_order = logistic(self.judge(student.encode(sample.inputs)), truth=True)
        out_of_order = logistic(self.judge(student.encode(mixed)), truth=False)
        return Term(0.5 * in_order + 0.5 * out_of_order)
