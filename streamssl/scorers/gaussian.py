"""The statistical core as a scorer: its distances, what they learn and how they explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from streamssl.config.sections import ScorersConfig
from streamssl.events import FloatArray
from streamssl.keys import KeyColumns
from streamssl.scorers.base import Admitted, Scorer, Seen, Sizes
from streamssl.scorers.explanation import CoreExplanation
from streamssl.scorers.gaussian_core import GaussianCore


class GaussianScorer(Scorer):
    """Geometric mean of four gated Mahalanobis distances.

    Args:
        core: The statistics; they also hold the gate of every scorer.
        leaky_CH: Input weights of the leaky units.
    """

    def __init__(self, *, core: GaussianCore, leaky_CH: FloatArray) -> None:
        self.core = core
        self.explanation = CoreExplanation(core=core, leaky_CH=leaky_CH)

    @classmethod
    def build(cls, config: ScorersConfig, sizes: Sizes) -> Self:
        """A scorer that has seen nothing."""
        section = config.gaussian.model_dump(exclude={"enabled", "weight"})
        core = GaussianCore(
            num_channels=sizes.num_channels,
            num_units=sizes.leaky_CH.shape[1],
            seed=sizes.seed,
            **section,
        )
        return cls(core=core, leaky_CH=sizes.leaky_CH)

    def score(self, seen: Seen) -> FloatArray:
        """`[B]` geometric mean of the distances."""
        return seen.measured.raw

    def contributions(self, seen: Seen) -> FloatArray:
        """`[A, C]` share of the squared distances that each channel explains."""
        return self.explanation.contributions(seen)

    def learn(self, seen: Seen, admitted: Admitted, generator: np.random.Generator) -> None:  # noqa: ARG002 - the interface's
        """Learn an epoch's rows."""
        self.core.learn(seen.measured, admitted)

    def per_key(self) -> list[KeyColumns]:
        """Every per-key column."""
        return self.core.per_key()

    def bytes_per_own_key(self) -> int:
        """Bytes of one entry of every bank."""
        return sum(bank.bytes_per_entry() for bank in self.core.banks.values())

    def state_dict(self) -> dict[str, Any]:
        """Everything learned."""
        return self.core.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.core.load_state_dict(state)
