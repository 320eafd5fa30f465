"""What every closed-form objective promises: sums that are absorbed, and a map that is solved.

B = events, F = features, D = dimensions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.arithmetic.sums import CrossSums
from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import Float32Array, FloatArray
from streamssl.objectives.closed_form.linear_map import LinearMap, rotated

# docs/research-log.md, "Constants of the arithmetic"
SOFT_BOUND = 3.0  # deviations that a dimension hardly leaves


class ClosedForm(ABC):
    """A slice of the embedding: h = 3 tanh(h' / 3), h' = x W + b, by a map that is solved.

    Absorbing rows changes the sums only; the map changes when it is solved. What sums hold is
    linear in the rows, so that those of several workers add up (`join`).

    Args:
        num_dimensions: D.

    Attributes:
        num_dimensions: D.
        map: The map of the present space; None before anything was solved.
        sums: By name, what was absorbed.
    """

    def __init__(self, *, num_dimensions: int, sums: Mapping[str, CrossSums]) -> None:
        self.num_dimensions = num_dimensions
        self.map: LinearMap | None = None
        self.sums = dict(sums)

    @abstractmethod
    def _solved(self) -> tuple[LinearMap, FloatArray]:
        """The map of the sums, in any rotation, and the covariance of its features."""

    def solve(self) -> LinearMap:
        """Solve anew from the sums, in the rotation that is nearest to the map before.

        Returns:
            The map that holds from now on.
        """
        found, covariance_FF = self._solved()
        if self.map is not None:
            found = rotated(found, self.map, covariance_FF)
        self.map = found
        return found

    def embed(self, x_BF: Float32Array) -> Float32Array:
        """`[B, D]` of features; zeros before anything was solved."""
        if self.map is None:
            return np.zeros((len(x_BF), self.num_dimensions), np.float32)
        return embedded(self.map, x_BF)

    @property
    def num_absorbed(self) -> float:
        """Rows that were absorbed, ordinary ones; those that have faded count less."""
        return float(next(iter(self.sums.values())).weight)

    def fade(self, share: float) -> None:
        """Let all that was absorbed count less."""
        for sums in self.sums.values():
            sums.fade(share)

    def join(self, other: ClosedForm) -> None:
        """Add the sums of another worker, over other rows."""
        for name, sums in self.sums.items():
            sums.absorb(other.sums[name])

    def state_dict(self) -> dict[str, Any]:
        """Sums and map."""
        return {
            "sums": {name: sums.state_dict() for name, sums in self.sums.items()},
            "map": None if self.map is None else self.map._asdict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over sums and map, of as many features.

        Raises:
            ValueError: They are of other sizes.
        """
        for name, sums in self.sums.items():
            sums.load_state_dict(state["sums"][name])
        held = state["map"]
        arrays = None if held is None else {n: np.array(a) for n, a in held.items()}
        self.map = None if arrays is None else LinearMap(**arrays)


def embedded(found: LinearMap, x_BF: Float32Array) -> Float32Array:
    """`[B, D]` 3 tanh((x W + b) / 3)."""
    weight_FD, bias_D = (array.astype(np.float32) for array in found)
    h_BD = tiled_matmul(x_BF, weight_FD)
    h_BD += bias_D
    h_BD *= np.float32(1.0 / SOFT_BOUND)
    bounded_BD: Float32Array = np.tanh(h_BD, out=h_BD)
    bounded_BD *= np.float32(SOFT_BOUND)
    return bounded_BD
