"""Momentum contrast (He et al. 2020, https://arxiv.org/abs/1911.05722).

B = samples, P = projection, Q = queue.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamssl.config.sections import ObjectiveConfig
from streamssl.data.inputs import take_inputs
from streamssl.objectives.base import Objective, Sample, Term
from streamssl.objectives.network import Network, TensorInputs


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
    """Two views of an input agree; inputs of other times, held in a queue, do not.

    Inputs that overlap the query's own in time are not its negatives: on a stream they are
    nearly the same input.

    Args:
        weight: Factor of this term in the sum.
        temperature: τ.
        queue: Negatives kept.
        samples: Most inputs of a batch that are contrasted; views are costly, negatives not.
        every: Steps from one turn to the next.
        projection: Size of the projected views.
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
        projection: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__(weight=weight, every=every)
        self.temperature = temperature
        self.samples = samples
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
    ) -> Term:
        """InfoNCE of the student's view against the teacher's other view and the queue.

        q = student(view), k = teacher(other view), without gradient; a negative n is allowed if
        its input does not overlap the query's: |t_q - t_n| >= `span_s`.
        """
        inputs, event_time_B = self._spread(sample.inputs, sample.event_time_B)
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

    def _spread(self, inputs: TensorInputs, event_time_B: Tensor) -> tuple[TensorInputs, Tensor]:
        """At most `samples` of the batch, evenly, so that fresh and replayed keep their shares."""
        stride = max(-(-len(event_time_B) // self.samples), 1)
        return take_inputs(inputs, slice(None, None, stride)), event_time_B[::stride]
