"""Masked modelling (Devlin et al. 2019, https://arxiv.org/abs/1810.04805).

On series after Zerveas et al. 2021, https://doi.org/10.1145/3447548.3467401.
"""

from __future__ import annotations

import torch

from streamssl.objectives.base import Objective, Sample, Term, smooth_l1
from streamssl.objectives.network import Network


class Masked(Objective):
    """What is hidden of an input's stem, from the rest of it.

    Unlike `autoencoder` it asks for the hidden values alone, hides spans of time as well, and adds
    no noise.

    Args:
        weight: Factor of this term in the sum.
        every: Steps from one turn to the next.
        time: Share of the steps hidden, in one span.
        channels: Share of the channels hidden.
    """

    needs = frozenset({"stem", "hide", "embed", "decode"})

    def __init__(self, *, weight: float, every: int, time: float, channels: float) -> None:
        super().__init__(weight=weight, every=every)
        self.time, self.channels = time, channels

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """Smooth-L1(decode(embed(s ∘ m̄)), s) over the hidden values m of the stem s."""
        del teacher
        clean = student.stem(sample.inputs)
        shown, hidden = student.hide(clean, generator, time=self.time, channels=self.channels)
        rebuilt = student.decode(student.embed(shown))
        return Term(smooth_l1(rebuilt[hidden], clean[hidden]))
