"""Gated Mahalanobis distance of the vector of prediction and reconstruction residuals.

The vector, not its norm: which channel cannot be predicted, and together with which, tells more
than how large the error is.

B = events, R = residuals, F = features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from streamssl.config.sections import ScorersConfig
from streamssl.events import Float32Array, FloatArray
from streamssl.keys import KeyColumns
from streamssl.scorers import attribution
from streamssl.scorers.base import Admitted, Scorer, Seen, Sizes
from streamssl.scorers.gaussian_bank import GaussianBank
from streamssl.scorers.inputs import random_projection
from streamssl.scorers.tiles import tile_rows, tiled_matmul

RIDGE = 0.1
SEED_ROWS = 256.0


class ResidualScorer(Scorer):
    """Running Gaussians over residuals, with the core's entries and gate.

    Args:
        num_residuals: R.
        num_channels: C.
        max_features: Longer vectors go through a seeded projection to this size.
        seed: Seed of the projection.
    """

    def __init__(
        self, *, num_residuals: int, num_channels: int, max_features: int = 256, seed: int = 0
    ) -> None:
        self.num_channels = num_channels
        self.projection: Float32Array | None = None
        num_features = min(num_residuals, max_features)
        if num_residuals > max_features:
            self.projection = random_projection(num_residuals, num_features, seed)
        self.bank = GaussianBank(num_features=num_features, ridge=RIDGE)

    @classmethod
    def build(cls, config: ScorersConfig, sizes: Sizes) -> Self:
        """A scorer that has seen nothing."""
        return cls(
            num_residuals=sizes.num_residuals,
            num_channels=sizes.num_channels,
            max_features=config.gaussian.max_features,
            seed=sizes.seed,
        )

    def score(self, seen: Seen) -> FloatArray:
        """`[B]` distance to the residuals that are usual for the row's entry."""
        entry_B = seen.measured.entry_B
        ready_B = self.bank.fitted(1)[entry_B]
        tiling = tile_rows(np.where(ready_B, entry_B, 0))
        return self.bank.distances(tiling, self._vector(seen)).score_B

    def contributions(self, seen: Seen) -> FloatArray:
        """`[A, C]` share of the squared distance that each channel's residuals explain."""
        entry_B = seen.measured.entry_B
        found = self.bank.distances(tile_rows(entry_B), self._vector(seen), pull=True)
        assert found.pull_BF is not None
        out_AC = np.zeros((len(seen), self.num_channels))
        for entry in np.unique(entry_B).tolist():
            rows, whiten = entry_B == entry, self.bank.whiten_EFF[entry]
            if whiten[0, 0]:
                out_AC[rows] = self._channels(found.pull_BF[rows], entry)
        squared_A = self.bank.num_features * found.score_B**2
        return out_AC / np.maximum(squared_A, 1e-300)[:, None]

    def _channels(self, pull_AF: Float32Array, entry: int) -> FloatArray:
        whiten = self.bank.whiten_EFF[entry]
        if self.projection is None:
            return attribution.block_contributions(pull_AF, whiten, self.num_channels)
        direction_XF = self.projection * self.bank.inverse_scale_EF[entry]
        return attribution.projected_contributions(pull_AF, whiten, direction_XF, self.num_channels)

    def learn(self, seen: Seen, admitted: Admitted, generator: np.random.Generator) -> None:  # noqa: ARG002 - the interface's
        """Learn the rows that the gate let through, for all keys and for the owners."""
        learn_B, own_B, vector_BF = admitted.learn_B, admitted.own_B, self._vector(seen)
        self._begin_anew(admitted)
        for entry_B, rows_B in ((np.zeros_like(own_B), learn_B), (own_B, learn_B & (own_B > 0))):
            self.bank.learn(entry_B[rows_B], vector_BF[rows_B], np.ones(int(rows_B.sum())))

    def _begin_anew(self, admitted: Admitted) -> None:
        """Entries that went to other keys begin with what all keys have learned."""
        size, known = self.bank.num_features, len(self.bank.weight_E)
        for entry in admitted.moved[admitted.moved < known].tolist():
            self.bank.seed_entry(entry, np.zeros(size), np.ones(size), SEED_ROWS)
        self.bank.ensure(int(admitted.own_B.max(initial=0)) + 1)

    def _vector(self, seen: Seen) -> Float32Array:
        """`[B, F]` what is scored and learned."""
        if self.projection is None:
            return seen.residual_BR
        return tiled_matmul(seen.residual_BR, self.projection)

    def per_key(self) -> list[KeyColumns]:
        """None: entries are the core's."""
        return []

    def bytes_per_own_key(self) -> int:
        """Bytes of one entry."""
        return self.bank.bytes_per_entry()

    def state_dict(self) -> dict[str, Any]:
        """Everything learned."""
        return self.bank.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.bank.load_state_dict(state)
