"""Multi-instance contrast (MICLe: Azizi et al. 2021, https://arxiv.org/abs/2101.05224).

B = samples, P = projection.
"""

from __future__ import annotations

import torch
from torch import Tensor

from streamssl.objectives.base import Objective, Sample, Term
from streamssl.objectives.contrast import nt_xent
from streamssl.objectives.network import Network
from streamssl.objectives.pairs import spread, two_views


def partners(same_BB: Tensor, generator: torch.Generator) -> Tensor:
    """`[B]` for each sample another one of its key, at random; itself where there is none.

    Args:
        same_BB: Whether two samples are of one key; true on the diagonal.
        generator: Source of random choices.
    """
    if not len(same_BB):
        return torch.zeros(0, dtype=torch.int64, device=same_BB.device)
    draw_BB = torch.rand(same_BB.shape, generator=generator, device=same_BB.device)
    rank_BB = torch.where(same_BB, draw_BB, -1.0)
    rank_BB.fill_diagonal_(-0.5)  # Whoever has another partner does not take itself.
    return rank_BB.argmax(1)


class MultiInstance(Objective):
    """Inputs of one key agree, as two pictures of one patient do; those of other keys do not.

    The positive of a sample is a view of another one of its key, of whatever time, or its own
    other view where the batch has none. A stream of one key has no negatives and teaches nothing.

    Args:
        weight: Factor of this term in the sum.
        every: Steps from one turn to the next.
        samples: Most inputs of a batch that are compared.
        temperature: τ.
    """

    needs = frozenset({"augment", "project"})
    needs_keys = True

    def __init__(self, *, weight: float, every: int, samples: int, temperature: float) -> None:
        super().__init__(weight=weight, every=every)
        self.samples, self.temperature = samples, temperature

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """NT-Xent of two views of the student, from a sample to its partner.

        Raises:
            ValueError: The sample does not say which key its inputs are of.
        """
        del teacher
        sample = spread(sample, self.samples)
        if sample.key_B is None:
            raise ValueError("multi_instance needs the key of every input: give it as `key_B`")
        first_BP, second_BP = map(student.project, two_views(student, sample.inputs, generator))
        same_BB = sample.key_B[:, None] == sample.key_B[None, :]
        partner_B = partners(same_BB, generator)
        loss = nt_xent(first_BP, second_BP, partner_B, ~same_BB, temperature=self.temperature)
        return Term(loss)
