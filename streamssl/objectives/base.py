"""What every objective sees, and what it promises.

B = samples, T = steps, S = summary rows, C = channels, D = embedding, P = projection.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from streamssl.config.sections import ObjectiveConfig


class Network(Protocol):
    """Student or teacher: an encoder and its heads."""

    @property
    def rows_S(self) -> Tensor:  # noqa: N802 - a shape suffix
        """How many rows of the window each summary row is the mean of."""

    def encode(self, x_BTC: Tensor) -> Tensor:
        """Embedding `[B, D]` of a window."""

    def embed(self, summary_BSC: Tensor) -> Tensor:
        """Embedding `[B, D]` of a window's summary, which is all that the encoder looks at."""

    def project(self, h_BD: Tensor) -> Tensor:
        """Unit vectors `[B, P]` in which views are compared."""

    def predict(self, h_BD: Tensor) -> Tensor:
        """The row `[B, C]` that comes after the window."""

    def summarise(self, x_BTC: Tensor) -> Tensor:
        """What the decoder is asked for `[B, S, C]`: fine near the present, coarse before."""

    def decode(self, h_BD: Tensor) -> Tensor:
        """The summary `[B, S, C]` of the window that an embedding stands for."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one optimiser step learns from.

    Attributes:
        window_BTC: Normalised windows, zero = missing or not yet seen.
        past: Gives windows as they were one row earlier.
        augment: Gives an augmented view of windows; two calls give two views.
        event_time_B: Event time of each window's last row, in seconds.
        span_s: Seconds of event time that a window spans, about; nearer ones overlap.
    """

    window_BTC: Tensor
    past: Callable[[Tensor], Tensor]
    augment: Callable[[Tensor, torch.Generator], Tensor]
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
    """

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
    """Huber's loss (δ = 1), averaged over all elements; zero where there are none."""
    total = nn.functional.smooth_l1_loss(prediction, target, reduction="sum")
    return total / max(target.numel(), 1)
