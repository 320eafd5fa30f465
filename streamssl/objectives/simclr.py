"""Contrast within a batch (Chen et al. 2020, https://arxiv.org/abs/2002.05709).

B = samples, P = projection.
"""

from __future__ import annotations

import torch

from streamssl.objectives.base import Objective, Sample, Term
from streamssl.objectives.contrast import nt_xent
from streamssl.objectives.network import Network
from streamssl.objectives.pairs import spread, two_views


class Simclr(Objective):
    """Two views of an input agree; views of the batch's inputs of other times do not.

    As in `moco`, inputs that overlap in time are not each other's negatives.

    Args:
        weight: Factor of this term in the sum.
        every: Steps from one turn to the next.
        samples: Most inputs of a batch that are compared.
        temperature: τ.
    """

    needs = frozenset({"augment", "project"})

    def __init__(self, *, weight: float, every: int, samples: int, temperature: float) -> None:
        super().__init__(weight=weight, every=every)
        self.samples, self.temperature = samples, temperature

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """NT-Xent of two views of the student; negatives are |t - t'| >= `span_s` away."""
        del teacher
        sample = spread(sample, self.samples)
        first_BP, second_BP = map(student.project, two_views(student, sample.inputs, generator))
        time_B = sample.event_time_B
        self_B = torch.arange(len(time_B), device=time_B.device)
        apart_BB = (time_B[:, None] - time_B[None, :]).abs() >= sample.span_s
        apart_BB &= self_B[:, None] != self_B[None, :]
        loss = nt_xent(first_BP, second_BP, self_B, apart_BB, temperature=self.temperature)
        return Term(loss)
