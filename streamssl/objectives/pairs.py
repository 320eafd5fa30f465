"""What objectives that compare views have in common.

B = samples, D = embedding, E = width of an expander.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from streamssl.data.inputs import take_inputs
from streamssl.objectives.base import Headed, HeadSizes, Sample
from streamssl.objectives.heads import mlp
from streamssl.objectives.network import Network, TensorInputs


def spread(sample: Sample, most: int) -> Sample:
    """At most `most` of the samples, evenly, so that fresh and replayed keep their shares."""
    rows = slice(None, None, max(-(-len(sample.event_time_B) // most), 1))
    return replace(
        sample,
        inputs=take_inputs(sample.inputs, rows),
        event_time_B=sample.event_time_B[rows],
        key_B=None if sample.key_B is None else sample.key_B[rows],
    )


def two_views(
    network: Network, inputs: TensorInputs, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Embeddings `[B, D]` of two views of the inputs."""
    first = network.augment(inputs, generator)
    second = network.augment(inputs, generator)
    return network.encode(first), network.encode(second)


class Expanded(Headed):
    """An objective that compares two views of the student through two layers of its own.

    Args:
        weight: Factor of this term in the sum.
        every: Steps from one turn to the next.
        samples: Most inputs of a batch that are compared.
        expander: Width of the two layers.
        sizes: Of what the network gives.
        generator: Draws the expander's first weights.
    """

    needs = frozenset({"augment"})

    def __init__(
        self,
        *,
        weight: float,
        every: int,
        samples: int,
        expander: int,
        sizes: HeadSizes,
        generator: torch.Generator,
    ) -> None:
        super().__init__(weight=weight, every=every)
        self.samples = samples
        self.expander = mlp((sizes.embedding, expander, expander), generator)

    def views(
        self, student: Network, sample: Sample, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """`[B, E]` two views of some inputs of a sample, expanded."""
        first_BD, second_BD = two_views(student, spread(sample, self.samples).inputs, generator)
        return self.expander(first_BD), self.expander(second_BD)
