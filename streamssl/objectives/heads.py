"""Heads that objectives have of their own, and the loss of a head that tells true from false.

B = samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def mlp(sizes: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Linear layers of these widths with GELU between them, first weights from `generator`.

    Weights and biases begin uniform on ±1/√inputs, as torch's own layers do.
    """
    layers: list[nn.Module] = []
    for num_inputs, num_outputs in pairwise(sizes):
        # Made without weights: torch's own would come from its global generator.
        layer = nn.Linear(num_inputs, num_outputs, device="meta").to_empty(device="cpu")
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -(num_inputs**-0.5), num_inputs**-0.5, generator=generator)
        layers += [layer, nn.GELU()]
    return nn.Sequential(*layers[:-1])


def logistic(logit_B1: Tensor, *, truth: bool) -> Tensor:
    """Mean of log(1 + e^-l) of what is true, log(1 + e^l) of what is not; zero without samples.

    Example:
        >>> round(logistic(torch.tensor([[0.0], [2.0]]), truth=True).item(), 4)
        0.41
    """
    total = nn.functional.softplus(-logit_B1 if truth else logit_B1).sum()
    return total / max(len(logit_B1), 1)


def reversed_gradient(x: Tensor, strength: float) -> Tensor:
    """x, with a gradient of -`strength` (Ganin & Lempitsky 2015, https://arxiv.org/abs/1409.7495).

    What stands before it in a network learns to make larger what all behind it makes smaller.
    """
    return (1.0 + strength) * x.detach() - strength * x
