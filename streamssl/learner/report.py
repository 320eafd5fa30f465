"""What the learner gives: embeddings and residuals of events, and a report of an epoch's end.

B = events, D = embedding, R = residuals (a multiple of the parts, or none).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from streamssl.data.events import Float32Array
from streamssl.learner.trainer import StepReport
from streamssl.objectives import Sample


class Inference(NamedTuple):
    """What the teacher makes of inputs.

    Attributes:
        embedding_BD: The embedding.
        residual_BR: Actual minus expected, part fastest; what is expected is the modality's own
            (of sensors the newest row and the window's mean reconstructed, and the newest row
            given the rows before it if that was asked for).
    """

    embedding_BD: Float32Array
    residual_BR: Float32Array


@dataclass(frozen=True, slots=True)
class LearnReport:
    """What an epoch's end did; for metrics and logs, never fed back.

    Attributes:
        num_trained: Samples (fresh and replayed) of the steps that were taken.
        num_steps: Steps that were taken.
        num_steps_nonfinite: Steps refused because loss or gradient was not finite.
        losses: Mean unweighted loss of each objective over the steps taken.
        gradient_norm: Mean norm before clipping.
    """

    num_trained: int = 0
    num_steps: int = 0
    num_steps_nonfinite: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    gradient_norm: float = float("nan")


class Tally:
    """Collects the steps of an epoch's end."""

    def __init__(self) -> None:
        self._taken: list[StepReport] = []
        self._num_refused = 0
        self._num_trained = 0

    def add(self, step: StepReport, sample: Sample) -> None:
        """Count a step and its samples."""
        if not step.taken:
            self._num_refused += 1
            return
        self._taken.append(step)
        self._num_trained += len(sample.event_time_B)

    def report(self) -> LearnReport:
        """What the steps did together."""
        names = {name for step in self._taken for name in step.losses}
        return LearnReport(
            num_trained=self._num_trained,
            num_steps=len(self._taken),
            num_steps_nonfinite=self._num_refused,
            losses={name: self._mean_loss(name) for name in sorted(names)},
            gradient_norm=float(np.mean([step.gradient_norm for step in self._taken] or [np.nan])),
        )

    def _mean_loss(self, name: str) -> float:
        """Mean over the steps in which it was the objective's turn."""
        return float(np.mean([s.losses[name] for s in self._taken if name in s.losses]))
