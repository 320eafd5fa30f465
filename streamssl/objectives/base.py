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
        key_B: Number of each one's key, where an objective asks for it (`needs_keys`).
    """

    inputs: TensorInputs
    event_time_B: Tensor
    span_s: float
    key_B: Tensor | None = None


class HeadSizes(NamedTuple):
    """Sizes of what a network gives: of an embedding and of its projection."""

    embedding: int
    projection: int


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
        needs_keys: Whether it asks which key a sample is of.
    """

    needs: ClassVar[frozenset[str]]
    needs_keys: ClassVar[bool] = False

    def __init__(self, *, weight: float, every: int = 1) -> None:
        super().__init__()
        self.weight, self.every = weight, every

    @classmethod
    def build(
        cls,
        config: ObjectiveConfig,
        *,
        sizes: HeadSizes,
        generator: torch.Generator,
    ) -> Objective:
        """The objective of a configuration section; overridden where sizes are needed."""
        del sizes, generator
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


class Headed(Objective):
    """An objective with something of its own that is drawn when it is built: heads, a queue.

    Its constructor takes `sizes` and `generator` beside what its section holds.
    """

    @classmethod
    def build(
        cls,
        config: ObjectiveConfig,
        *,
        sizes: HeadSizes,
        generator: torch.Generator,
    ) -> Objective:
        """The objective of a configuration section."""
        return cls(**config.model_dump() | {"sizes": sizes, "generator": generator})


def smooth_l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Huber's loss (δ = 1): mean of d²/2 where |d| < 1, else |d| - 1/2; zero without elements.

    Example:
        >>> smooth_l1(torch.tensor([0.5, 3.0]), torch.zeros(2)).item()
        1.3125
    """
    total = nn.functional.smooth_l1_loss(prediction, target, reduction="sum")
    return total / max(target.numel(), 1)
