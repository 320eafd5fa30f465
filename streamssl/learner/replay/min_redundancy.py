"""Minimum redundancy (Purushwalkam et al. 2022, https://arxiv.org/abs/2203.12710).

N = samples offered, P = samples compared, M = sketch, K = capacity.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.inputs import Inputs, InputSpec, take_inputs
from streamssl.learner.replay.base import TabledPolicy
from streamssl.learner.replay.sketch import SKETCH, sketch

# docs/research-log.md, "Constants of the arithmetic"
CANDIDATES = 1_024  # held samples that those offered are compared with
AT_ONCE = 256  # samples offered that are compared at once
SKETCH_BYTES = 4 * SKETCH


def most_redundant(sketch_PM: Float32Array, count: int) -> IntArray:
    """Which samples to drop, one by one: always the one whose nearest other is nearest.

    Of two that are each other's nearest, the first goes.

    Args:
        sketch_PM: Unit vectors; nearness is their product.
        count: How many to drop.

    Example:
        >>> most_redundant(np.array([[1, 0], [0, 1], [0.8, 0.6], [0, 1]], np.float32), 1)
        array([1])
    """
    near_PP = sketch_PM @ sketch_PM.T
    np.fill_diagonal(near_PP, -np.inf)
    nearest_P, near_P = near_PP.argmax(1), near_PP.max(1)
    dropped = np.empty(count, np.int64)
    for turn in range(count):
        dropped[turn] = row = int(near_P.argmax())
        near_PP[row], near_PP[:, row] = -np.inf, -np.inf
        widowed = np.flatnonzero(nearest_P == row)
        nearest_P[widowed], near_P[widowed] = near_PP[widowed].argmax(1), near_PP[widowed].max(1)
        near_P[row] = -np.inf
    return dropped


class MinRedundancy(TabledPolicy):
    """Inputs that resemble another one held leave first, so that what is rare stays.

    Inputs offered are compared with a random `CANDIDATES` of those held, by a short sketch of the
    inputs themselves: embeddings, as in the paper, would change with the weights.

    Args:
        spec: Of one input.
        max_bytes: Most bytes held, sketches included.
    """

    def __init__(self, *, spec: InputSpec, max_bytes: int) -> None:
        super().__init__(spec=spec, max_bytes=max_bytes, extra_bytes=SKETCH_BYTES)
        self._sketch_KM = np.zeros((self.capacity, SKETCH), np.float32)

    def add(self, inputs: Inputs, event_time_N: FloatArray, generator: np.random.Generator) -> None:
        """Offer inputs; each takes an empty place, or that of one that resembles another."""
        if self.capacity == 0:
            return
        free = min(self.capacity - len(self), len(event_time_N))
        self._put(len(self) + np.arange(free), inputs, event_time_N, np.arange(free))
        for begin in range(free, len(event_time_N), AT_ONCE):
            rows = np.arange(begin, min(begin + AT_ONCE, len(event_time_N)))
            self._replace(inputs, event_time_N, rows, generator)

    def expire(self, oldest_s: float) -> None:
        """Drop samples of an earlier event time."""
        keep = np.flatnonzero(self.table.event_time >= oldest_s)
        if len(keep) < len(self):
            self.table.keep(keep)
            self._sketch_KM[: len(keep)] = self._sketch_KM[keep]

    def state_dict(self) -> dict[str, Any]:
        """The samples held and their sketches."""
        return {**self.table.state_dict(), "sketch": self._sketch_KM[: len(self)].copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the samples; under a smaller budget, those that still fit."""
        self.table.load_state_dict(state)
        self._sketch_KM[: len(self)] = state["sketch"][: len(self)]

    def _replace(
        self,
        inputs: Inputs,
        event_time_N: FloatArray,
        rows: IntArray,
        generator: np.random.Generator,
    ) -> None:
        """Drop as many as are offered, of those held and offered together."""
        num_held = min(len(self), CANDIDATES)
        places = generator.choice(len(self), num_held, replace=False)
        offered_NM = sketch(take_inputs(inputs, rows))
        compared_PM = np.concatenate([self._sketch_KM[places], offered_NM])
        stays = np.ones(len(compared_PM), np.bool_)
        stays[most_redundant(compared_PM, len(rows))] = False
        taken = rows[stays[num_held:]]
        self._put(places[~stays[:num_held]], inputs, event_time_N, taken)

    def _put(
        self, places: IntArray, inputs: Inputs, event_time_N: FloatArray, rows: IntArray
    ) -> None:
        if len(rows):
            self.table.put(places, inputs, event_time_N, rows)
            self._sketch_KM[places] = sketch(take_inputs(inputs, rows))
