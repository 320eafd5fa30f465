"""Next-step prediction: the row to come from the rows before it."""

from __future__ import annotations

import torch

from streamssl.objectives.base import Network, Objective, Sample, Term, smooth_l1


class NextStep(Objective):
    """Huber's loss of the predicted against the actual last row."""

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """Smooth-L1(q(f(past)), last row)."""
        del teacher, generator
        predicted_BC = student.predict(student.encode(sample.past(sample.window_BTC)))
        return Term(smooth_l1(predicted_BC, sample.window_BTC[:, -1]))
