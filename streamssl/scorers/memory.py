"""Remembered events: distance to the nearest ones, and which they are.

B = events, M = remembered events, D = embedding size, K = neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from streamssl.arithmetic.reservoir import offered
from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.config.sections import ScorersConfig
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, check_shape
from streamssl.data.spaces import SpaceOpening, carried
from streamssl.scorers import attribution
from streamssl.scorers.base import Admitted, ScorerSizes, Seen, SharedScorer


class MemoryScorer(SharedScorer):
    """A bounded random sample of past embeddings in the teacher's space.

    Args:
        embedding: D.
        capacity: M at most.
        neighbours: Distances averaged into the score.
    """

    def __init__(self, *, embedding: int, capacity: int = 1_024, neighbours: int = 5) -> None:
        self.capacity, self.neighbours = capacity, neighbours
        self.vectors_MD = np.zeros((0, embedding), np.float32)
        self.positions_M3 = np.zeros((0, 3), np.int64)
        self.num_seen = 0

    @classmethod
    def build(cls, config: ScorersConfig, sizes: ScorerSizes) -> Self:
        """A scorer that has seen nothing."""
        section = config.memory
        return cls(
            embedding=sizes.embedding, capacity=section.capacity, neighbours=section.neighbours
        )

    def score(self, seen: Seen[Any]) -> FloatArray:
        """`[B]` mean_k ||e - m_(k)|| over the K nearest remembered events; 0 if there are none."""
        count = min(self.neighbours, len(self.vectors_MD))
        if count == 0:
            return np.zeros(len(seen))
        squared_BM = np.partition(self._squared_distances(seen.embedding_BD), count - 1, axis=1)
        return np.sqrt(np.maximum(squared_BM[:, :count], 0.0)).mean(1)

    def nearest(self, embedding_AD: Float32Array, count: int) -> IntArray:
        """`[A, count, 3]` (partition, offset, index) of the nearest, nearest first."""
        count = min(count, len(self.vectors_MD))
        order = np.argsort(self._squared_distances(embedding_AD), axis=1, kind="stable")
        return self.positions_M3[order[:, :count]]

    def contributions(self, seen: Seen[Any]) -> FloatArray:
        """`[A, P]` shares of how anomalous each part is by itself: distances in D name no part."""
        return attribution.as_shares(seen.measured.part_scores())

    def learn(self, seen: Seen[Any], admitted: Admitted, generator: np.random.Generator) -> None:
        """Offer the rows that the gate let through to the sample."""
        rows = admitted.learn_B
        self._add(seen.embedding_BD[rows], seen.position_B3[rows], generator)

    def open_space(self, opening: SpaceOpening) -> None:
        """Carry what is remembered over to a new space; without maps it begins anew."""
        if not opening.maps:
            self.vectors_MD, self.positions_M3 = self.vectors_MD[:0], self.positions_M3[:0]
            self.num_seen = 0
        self.vectors_MD = carried(self.vectors_MD, opening)

    def _add(
        self, embedding_BD: Float32Array, position_B3: IntArray, generator: np.random.Generator
    ) -> None:
        """Fill the free places, then let each further row take a random one (reservoir)."""
        sample = {"vectors": self.vectors_MD, "positions": self.positions_M3}
        items = {"vectors": embedding_BD, "positions": position_B3}
        kept = offered(sample, items, self.num_seen, self.capacity, generator)
        self.vectors_MD, self.positions_M3 = kept.values()
        self.num_seen += len(embedding_BD)

    def _squared_distances(self, embedding_BD: Float32Array) -> FloatArray:
        """`[B, M]` |x - y|^2 = |x|^2 - 2 x.y + |y|^2; rounding may leave it just under 0."""
        x_BD, y_MD = embedding_BD.astype(np.float64), self.vectors_MD.astype(np.float64)
        cross_BM = tiled_matmul(x_BD, np.ascontiguousarray(y_MD.T))
        return (x_BD * x_BD).sum(1)[:, None] - 2.0 * cross_BM + (y_MD * y_MD).sum(1)

    def per_key(self) -> list[KeyColumns]:
        """No column: the sample is one of all keys."""
        return []

    def bytes_per_own_key(self) -> int:
        """No byte: the sample is one of all keys."""
        return 0

    def state_dict(self) -> dict[str, Any]:
        """The sample, and of how many events it is one."""
        return {
            "vectors": self.vectors_MD.copy(),
            "positions": self.positions_M3.copy(),
            "num_seen": self.num_seen,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a sample; under a smaller capacity, what still fits."""
        check_shape("vectors", state["vectors"], self.vectors_MD.shape[1:])
        self.vectors_MD = np.array(state["vectors"][: self.capacity])
        self.positions_M3 = np.array(state["positions"][: self.capacity])
        self.num_seen = int(state["num_seen"])
