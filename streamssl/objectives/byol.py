"""Bootstrap your own latent (Grill et al. 2020, https://arxiv.org/abs/2006.07733).

B = samples, P = projection.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from streamssl.objectives.base import Headed, HeadSizes, Sample, Term
from streamssl.objectives.heads import mlp
from streamssl.objectives.network import Network
from streamssl.objectives.pairs import spread


def normalised_distance(prediction_BP: Tensor, target_BP: Tensor) -> Tensor:
    """Mean of ||p/||p|| - t/||t||||² = 2 - 2 p·t/(||p|| ||t||); zero without samples."""
    cosine_B = nn.functional.cosine_similarity(prediction_BP, target_BP)
    return (2.0 - 2.0 * cosine_B).sum() / max(len(cosine_B), 1)


class Byol(Headed):
    """The teacher's projection of one view, predicted from the student's of the other.

    There are no negatives: predictor and moving average keep it from collapsing. Projections are
    unit vectors here; the paper's are not, but its loss sees their directions only.

    Args:
        weight: Factor of this term in the sum.
        every: Steps from one turn to the next.
        samples: Most inputs of a batch that are compared.
        hidden: Width of the predictor's hidden layer.
        sizes: Of what the network gives.
        generator: Draws the predictor's first weights.
    """

    needs = frozenset({"augment", "project"})

    def __init__(
        self,
        *,
        weight: float,
        every: int,
        samples: int,
        hidden: int,
        sizes: HeadSizes,
        generator: torch.Generator,
    ) -> None:
        super().__init__(weight=weight, every=every)
        self.samples = samples
        self.predictor = mlp((sizes.projection, hidden, sizes.projection), generator)

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """Mean over both directions of ||q̄(z) - z̄'||², z the student's, z' the teacher's."""
        inputs = spread(sample, self.samples).inputs
        views = [student.augment(inputs, generator) for _ in range(2)]
        predicted = [self.predictor(student.project(student.encode(view))) for view in views]
        with torch.no_grad():
            targets = [teacher.project(teacher.encode(view)) for view in reversed(views)]
        losses = map(normalised_distance, predicted, targets)
        return Term(torch.stack([*losses]).mean())
