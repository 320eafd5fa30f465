"""What every objective sees, and what it promises.

B = samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from streamssl.config.sections import ObjectiveConfig
from streamssl.objectives.network import Network, TensorInputs


@dataclass(frozen=True, slots=True)
class Sample:
    """What one optimiser step learns from.

    Attributes:
        inputs: Of the networks; B of them.
        event_time_B: Event time of each, in seconds.
        span_s: Seconds of event time that an input spans, about; nearer ones overlap.
    """

    inputs: TensorInputs
    event_time_B: Tensor
    span_s: float


class Term(NamedTuple):
    """One objective's part of a step.

    Attributes:
        loss: Unweighted; a scalar with a gradient.
        seen: What the objective is to remember if the step is taken.
    """

    loss: Tensor
    seen: tuple[Tensor, ...] = ()


class Objective(nn.Module, ABC):
    """A pretext task: a loss of the student, perhaps against the teacher.

    Args:
        weight: Factor of this term in the sum.
        every: Steps from one turn to the next.

    Attributes:
        needs: What it calls of a `Network`, `encode` apart.
    """

    needs: ClassVar[frozenset[str]]

    def __init__(self, *, weight: float, every: int = 1) -> None:
        super().__init__()
        self.weight, self.every = weight, every

    @classmethod
    def build(
        cls, config: ObjectiveConfig, *, projection: int, generator: torch.Generator
    ) -> Objective:
        """The objective of a configuration section; overridden where sizes are needed."""
        del projection, generator
        return cls(**config.model_dump())

    @abstractmethod
    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """The loss: finite, zero for an empty batch, no gradient to the teacher.

        Changes no state: the step may still be refused.
        """

    def remember(self, *seen: Tensor) -> None:
        """Take in what a step that was taken has seen; most objectives have no memory."""


def smooth_l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Huber's loss (δ = 1): mean of d²/2 where |d| < 1, else |d| - 1/2; zero without elements.

    Example:
        >>> smooth_l1(torch.tensor([0.5, 3.0]), torch.zeros(2)).item()
        1.3125
    """
    total = nn.functional.smooth_l1_loss(prediction, target, reduction="sum")
    return total / max(target.numel(), 1)
