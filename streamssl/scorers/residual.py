"""Gated Mahalanobis distance of the vector of prediction and reconstruction residuals.

The vector, not its norm: which part cannot be predicted, and together with which, says more
than how large the error is.

B = events, A = explained events, P = parts, R = residuals, F = features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from streamssl.arithmetic.projection import random_projection
from streamssl.arithmetic.tiles import tile_rows, tiled_matmul
from streamssl.config.sections import ScorersConfig
from streamssl.data.events import Float32Array, FloatArray
from streamssl.data.keys import KeyColumns
from streamssl.scorers.base import Admitted, ScorerSizes, Seen, SharedScorer
from streamssl.scorers.gaussian_bank import GaussianBank

# docs/research-log.md, "Constants of the arithmetic"
RIDGE = 0.1


class ResidualScorer(SharedScorer):
    """Running Gaussians over residuals, with the core's entries and gate.

    Args:
        num_residuals: R.
        num_parts: P.
        max_features: Longer vectors go through a seeded projection to this size.
        seed: Seed of the projection.
    """

    def __init__(
        self, *, num_residuals: int, num_parts: int, max_features: int = 256, seed: int = 0
    ) -> None:
        self.num_parts = num_parts
        self.projection: Float32Array | None = None
        num_features = min(num_residuals, max_features)
        if num_residuals > max_features:
            self.projection = random_projection(num_residuals, num_features, seed)
        self.bank = GaussianBank(num_features=num_features, ridge=RIDGE)

    @classmethod
    def build(cls, config: ScorersConfig, sizes: ScorerSizes) -> Self:
        """A scorer that has seen nothing."""
        return cls(
            num_residuals=sizes.num_residuals,
            num_parts=sizes.num_parts,
            max_features=config.max_features,
            seed=sizes.seed,
        )

    def score(self, seen: Seen[Any]) -> FloatArray:
        """`[B]` rms(L^-1 z): distance to the residuals that are usual for the row's entry."""
        entry_B = seen.measured.entry_B
        ready_B = self.bank.fitted(1)[entry_B]
        tiling = tile_rows(np.where(ready_B, entry_B, 0))
        return self.bank.distances(tiling, self._vector(seen))

    def contributions(self, seen: Seen[Any]) -> FloatArray:
        """`[A, P]` c_p / (F s^2): share of the squared distance that a part explains."""
        entry_A, vector_AF = seen.measured.entry_B, self._vector(seen)
        return self.bank.shares(entry_A, vector_AF, self.num_parts, self.projection)

    def learn(self, seen: Seen[Any], admitted: Admitted, generator: np.random.Generator) -> None:  # noqa: ARG002 - the interface's
        """Learn the rows that the gate let through, for all keys and for the owners."""
        learn_B, own_B, vector_BF = admitted.learn_B, admitted.own_B, self._vector(seen)
        self._reset_moved(admitted)
        for entry_B, rows_B in ((np.zeros_like(own_B), learn_B), (own_B, learn_B & (own_B > 0))):
            self.bank.learn(entry_B[rows_B], vector_BF[rows_B], np.ones(int(rows_B.sum())))

    def _reset_moved(self, admitted: Admitted) -> None:
        """Entries that went to other keys begin with what all keys have learned."""
        size, known = self.bank.num_features, len(self.bank.weight_E)
        for entry in admitted.moved[admitted.moved < known].tolist():
            self.bank.seed_entry(entry, np.zeros(size), np.ones(size))
        self.bank.ensure(int(admitted.own_B.max(initial=0)) + 1)

    def _vector(self, seen: Seen[Any]) -> Float32Array:
        """`[B, F]` what is scored and learned."""
        if self.projection is None:
            return seen.residual_BR
        return tiled_matmul(seen.residual_BR, self.projection)

    def per_key(self) -> list[KeyColumns]:
        """No column: which key owns which entry is the ensemble's to know."""
        return []

    def bytes_per_own_key(self) -> int:
        """Bytes of one entry."""
        return self.bank.bytes_per_entry()

    def state_dict(self) -> dict[str, Any]:
        """The Gaussians of all entries."""
        return self.bank.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the Gaussians, of the same number of features."""
        self.bank.load_state_dict(state)
