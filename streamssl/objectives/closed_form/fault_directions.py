"""Where unusual rows go that ordinary ones do not: principal directions of both together.

B = events, F = features, D = dimensions.
"""

from __future__ import annotations

import numpy as np

from streamssl.arithmetic.sums import CrossSums
from streamssl.data.events import Float32Array, FloatArray
from streamssl.objectives.closed_form.base import ClosedForm
from streamssl.objectives.closed_form.linear_map import LinearMap, unit_deviation
from streamssl.objectives.closed_form.spectrum import leading, padded

# docs/research-log.md, "Constants of the arithmetic"
LEAST_SCALE = 0.02  # added to each feature's deviation
ENOUGH_UNUSUAL = 200.0  # rows from which unusual ones weigh as much as ordinary ones
ORDINARY_FLOOR = 0.05  # added to each dimension's deviation on ordinary rows
FARTHEST = 20.0  # of these scales from the mean that a feature counts for at most
BOUNDED_ROWS = 64.0  # rows from which it does


class FaultDirections(ClosedForm):
    """The slice in which unusual rows differ from ordinary ones, and from each other.

    Args:
        num_features: F.
        num_dimensions: D.
    """

    def __init__(self, *, num_features: int, num_dimensions: int) -> None:
        names = ("ordinary", "unusual")
        sums = {n: CrossSums(num_left=num_features, num_right=num_features) for n in names}
        super().__init__(num_dimensions=num_dimensions, sums=sums)

    def absorb(self, x_BF: Float32Array, unusual_BF: Float32Array) -> None:
        """Take in a sample of all rows, and unusual ones; what is far off is bounded."""
        x_BF, unusual_BF = self._bounded(x_BF), self._bounded(unusual_BF)
        self.sums["ordinary"].add(x_BF, x_BF)
        self.sums["unusual"].add(unusual_BF, unusual_BF)

    def _bounded(self, x_BF: Float32Array) -> Float32Array:
        sums = self.sums["ordinary"]
        if sums.weight < BOUNDED_ROWS:
            return x_BF
        mean_F, _ = sums.means()
        room_F = FARTHEST * _scale(sums.covariance())
        bounded_BF: Float32Array = np.clip(x_BF, mean_F - room_F, mean_F + room_F)
        return bounded_BF.astype(np.float32)

    def _solved(self) -> tuple[LinearMap, FloatArray]:
        ordinary, unusual = self.sums["ordinary"], self.sums["unusual"]
        mean_F, _ = ordinary.means()
        ordinary_FF = ordinary.covariance()
        unusual_FF, num_unusual = unusual.moments(mean_F), float(unusual.weight)
        found = fault_directions(mean_F, ordinary_FF, unusual_FF, num_unusual, self.num_dimensions)
        return found, ordinary_FF


def fault_directions(
    mean_F: FloatArray,
    ordinary_FF: FloatArray,
    unusual_FF: FloatArray,
    num_unusual: float,
    num_dimensions: int,
) -> LinearMap:
    """Leading eigenvectors of the mean of both covariances, scaled on ordinary rows.

    With g = (x - m) / (s + .02), s the deviation of ordinary rows: those of (1 - a) cov(g) + a
    E[g g' | unusual], a = min(1, n / 200) / 2; each in unit deviation on ordinary rows, .05 added.

    Args:
        mean_F: m, of ordinary rows.
        ordinary_FF: Their covariance.
        unusual_FF: Second moments of unusual rows about m.
        num_unusual: n, how many of them there were.
        num_dimensions: D; dimensions beyond the features are zero.
    """
    inverse_F = 1.0 / _scale(ordinary_FF)
    both_FF = np.outer(inverse_F, inverse_F)
    share = 0.5 * min(1.0, num_unusual / ENOUGH_UNUSUAL)
    mixed_FF = ((1.0 - share) * ordinary_FF + share * unusual_FF) * both_FF
    weight_FD = inverse_F[:, None] * leading(mixed_FF, num_dimensions)
    padded_FD = padded(weight_FD, num_dimensions)
    return unit_deviation(mean_F, padded_FD, ordinary_FF, ORDINARY_FLOOR)


def _scale(ordinary_FF: FloatArray) -> FloatArray:
    return np.sqrt(np.maximum(np.diagonal(ordinary_FF), 0.0)) + LEAST_SCALE
