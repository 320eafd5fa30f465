"""What objectives that compare views have in common.

B = samples, D = embedding.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from streamssl.data.inputs import take_inputs
from streamssl.objectives.base import Sample
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
