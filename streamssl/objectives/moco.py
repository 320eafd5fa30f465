"""Momentum contrast (He et al. 2020, https://arxiv.org/abs/1911.05722).

B = samples, P = projection, Q = queue.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamssl.objectives.base import Headed, HeadSizes, Sample, Term
from streamssl.objectives.contrast import info_nce
from streamssl.objectives.network import Network
from streamssl.objectives.pairs import spread


class Moco(Headed):
    """Two views of an input agree; inputs of other times, held in a queue, do not.

    Inputs that overlap the query's own in time are not its negatives: on a stream they are
    nearly the same input.

    Args:
        weight: Factor of this term in the sum.
        temperature: τ.
        queue: Negatives kept.
        samples: Most inputs of a batch that are contrasted; views are costly, negatives not.
        every: Steps from one turn to the next.
        sizes: Of what the network gives; here of the projected views.
        generator: Draws the directions that fill the queue before anything was seen.
    """

    needs = frozenset({"augment", "project"})

    queue_QP: Tensor
    queue_time_Q: Tensor

    def __init__(
        self,
        *,
        weight: float,
        temperature: float,
        queue: int,
        samples: int,
        every: int,
        sizes: HeadSizes,
        generator: torch.Generator,
    ) -> None:
        super().__init__(weight=weight, every=every)
        self.temperature = temperature
        self.samples = samples
        random_QP = torch.randn((queue, sizes.projection), generator=generator)
        self.register_buffer("queue_QP", nn.functional.normalize(random_QP, dim=1))
        never_Q = torch.full((queue,), -torch.inf, dtype=torch.float64)
        self.register_buffer("queue_time_Q", never_Q)

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """InfoNCE of the student's view against the teacher's other view and the queue.

        q = student(view), k = teacher(other view), without gradient; a negative n is allowed if
        its input does not overlap the query's: |t_q - t_n| >= `span_s`.
        """
        sample = spread(sample, self.samples)
        inputs, event_time_B = sample.inputs, sample.event_time_B
        query_BP = student.project(student.encode(student.augment(inputs, generator)))
        with torch.no_grad():
            key_BP = teacher.project(teacher.encode(teacher.augment(inputs, generator)))
        gap_BQ = (event_time_B[:, None] - self.queue_time_Q[None, :]).abs()
        allowed_BQ = gap_BQ >= sample.span_s
        loss = info_nce(query_BP, key_BP, self.queue_QP, allowed_BQ, temperature=self.temperature)
        return Term(loss, (key_BP, event_time_B))

    def remember(self, *seen: Tensor) -> None:
        """The step's keys and their times enter the queue, the oldest leave it."""
        key_BP, event_time_B = seen
        size = len(self.queue_QP)
        self.queue_QP.copy_(torch.cat([self.queue_QP, key_BP])[-size:])
        self.queue_time_Q.copy_(torch.cat([self.queue_time_Q, event_time_B])[-size:])
