"""Next-step prediction: the row to come from the rows before it."""

from __future__ import annotations

import torch

from streamssl.objectives.base import Objective, Sample, Term, smooth_l1
from streamssl.objectives.network import Network


class NextStep(Objective):
    """Huber's loss of the predicted against the actual last row."""

    needs = frozenset({"past", "predict", "newest"})

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """Smooth-L1(q(f(past)), x): the newest row x from the rows before it, q linear."""
        del teacher, generator
        predicted = student.predict(student.encode(student.past(sample.inputs)))
        return Term(smooth_l1(predicted, student.newest(sample.inputs)))
