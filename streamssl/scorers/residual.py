"""Gated Mahalanobis distance of the vector of prediction and reconstruction residuals.

The vector, not its norm: which channel cannot be predicted, and together with which, tells more
than how large the error is.

B = events, R = residuals, F = features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.scorers import attribution
from streamssl.scorers.gaussian_bank import GaussianBank
from streamssl.scorers.inputs import random_projection
from streamssl.scorers.tiles import tiled_matmul

RIDGE = 0.1


class ResidualScorer:
    """Running Gaussians over residuals, with the core's entries and gate.

    Args:
        num_residuals: R.
        max_features: Longer vectors go through a seeded projection to this size.
        seed: Seed of the projection.
    """

    def __init__(self, *, num_residuals: int, max_features: int = 256, seed: int = 0) -> None:
        self.projection: FloatArray | None = None
        num_features = min(num_residuals, max_features)
        if num_residuals > max_features:
            self.projection = random_projection(num_residuals, num_features, seed)
        self.bank = GaussianBank(num_features=num_features, ridge=RIDGE)

    def vector(self, residual_BR: Float32Array) -> FloatArray:
        """`[B, F]` what is scored and learned."""
        exact_BR = residual_BR.astype(np.float64)
        return exact_BR if self.projection is None else tiled_matmul(exact_BR, self.projection)

    def score(self, entry_B: IntArray, vector_BF: FloatArray) -> FloatArray:
        """`[B]` distance to the residuals that are usual for the row's entry."""
        self.bank.ensure(int(entry_B.max(initial=0)) + 1)
        ready_B = self.bank.fitted(1)[entry_B]
        return self.bank.distances(np.where(ready_B, entry_B, 0), vector_BF).score_B

    def contributions(
        self, entry_B: IntArray, vector_AF: FloatArray, num_channels: int
    ) -> FloatArray:
        """`[A, C]` share of the squared distance that each channel's residuals explain."""
        found = self.bank.distances(entry_B, vector_AF, pull=True)
        assert found.pull_BF is not None
        out_AC = np.zeros((len(entry_B), num_channels))
        for entry in np.unique(entry_B).tolist():
            rows, whiten = entry_B == entry, self.bank.whiten_EFF[entry]
            if whiten[0, 0]:
                out_AC[rows] = self._channels(found.pull_BF[rows], entry, num_channels)
        squared_A = self.bank.num_features * found.score_B**2
        return out_AC / np.maximum(squared_A, 1e-300)[:, None]

    def _channels(self, pull_AF: FloatArray, entry: int, num_channels: int) -> FloatArray:
        whiten = self.bank.whiten_EFF[entry]
        if self.projection is None:
            return attribution.block_contributions(pull_AF, whiten, num_channels)
        direction_XF = self.projection * self.bank.inverse_scale_EF[entry]
        return attribution.projected_contributions(pull_AF, whiten, direction_XF, num_channels)

    def learn(self, own_B: IntArray, vector_BF: FloatArray, learn_B: BoolArray) -> None:
        """Learn the rows that the gate let through, for all keys and for the owners."""
        self.bank.ensure(int(own_B.max(initial=0)) + 1)
        for entry_B, rows_B in ((np.zeros_like(own_B), learn_B), (own_B, learn_B & (own_B > 0))):
            self.bank.learn(entry_B[rows_B], vector_BF[rows_B], np.ones(int(rows_B.sum())))

    def release(self, entries: IntArray) -> None:
        """Begin `entries` anew (they went to other keys) with what all keys have learned."""
        size = self.bank.num_features
        for entry in entries.tolist():
            if entry < len(self.bank.weight_E):
                self.bank.seed_entry(entry, np.zeros(size), np.ones(size), 256.0)

    def state_dict(self) -> dict[str, Any]:
        """Everything learned."""
        return self.bank.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.bank.load_state_dict(state)
