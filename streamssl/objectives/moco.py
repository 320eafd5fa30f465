"""Momentum contrast (He et al. 2020, https://arxiv.org/abs/1911.05722).

B = samples, P = projection, Q = queue.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamssl.config.sections import ObjectiveConfig
from streamssl.objectives.base import Network, Objective, Sample


def info_nce(
    query_BP: Tensor, key_BP: Tensor, queue_QP: Tensor, allowed_BQ: Tensor, *, temperature: float
) -> Tensor:
    """InfoNCE: -log exp(q·k/τ) / (exp(q·k/τ) + Σ exp(q·n/τ)), n over the allowed negatives."""
    positive_B1 = (query_BP * key_BP).sum(1, keepdim=True) / temperature
    negative_BQ = query_BP @ queue_QP.T / temperature
    negative_BQ = negative_BQ.masked_fill(~allowed_BQ, -torch.inf)
    logits_BN = torch.cat([positive_B1, negative_BQ], 1)
    total = (logits_BN.logsumexp(1) - positive_B1[:, 0]).sum()
    return total / max(len(query_BP), 1)


class Moco(Objective):
    """Two views of a window agree; windows of other times, held in a queue, do not.

    Windows that overlap the query's own in time are not its negatives: on a stream they are
    nearly the same window.

    Args:
        weight: Factor of this term in the sum.
        temperature: τ.
        queue: Negatives kept.
        projection: Size of the projected views.
        generator: Draws the directions that fill the queue before anything was seen.
    """

    queue_QP: Tensor
    queue_time_Q: Tensor

    def __init__(
        self,
        *,
        weight: float,
        temperature: float,
        queue: int,
        projection: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__(weight=weight)
        self.temperature = temperature
        random_QP = torch.randn((queue, projection), generator=generator)
        self.register_buffer("queue_QP", nn.functional.normalize(random_QP, dim=1))
        never_Q = torch.full((queue,), -torch.inf, dtype=torch.float64)
        self.register_buffer("queue_time_Q", never_Q)

    @classmethod
    def build(cls, config: ObjectiveConfig, *, projection: int, generator: torch.Generator) -> Moco:
        """The objective of a configuration section."""
        return cls(**config.model_dump(), projection=projection, generator=generator)

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Tensor:
        """InfoNCE of the student's view a against the teacher's view b and the queue."""
        del generator
        query_BP = student.project(student.encode(sample.view_a_BTC))
        gap_BQ = (sample.event_time_B[:, None] - self.queue_time_Q[None, :]).abs()
        return info_nce(
            query_BP,
            _keys(teacher, sample),
            self.queue_QP,
            gap_BQ >= sample.span_s,
            temperature=self.temperature,
        )

    def after_step(self, teacher: Network, sample: Sample) -> None:
        """The step's keys enter the queue, the oldest leave it."""
        size = len(self.queue_QP)
        self.queue_QP.copy_(torch.cat([self.queue_QP, _keys(teacher, sample)])[-size:])
        self.queue_time_Q.copy_(torch.cat([self.queue_time_Q, sample.event_time_B])[-size:])


@torch.no_grad()
def _keys(teacher: Network, sample: Sample) -> Tensor:
    return teacher.project(teacher.encode(sample.view_b_BTC))
