"""What stays while time passes: slow feature analysis (https://doi.org/10.1162/089976602317318938).

B = events, F = features, D = dimensions.
"""

from __future__ import annotations

import numpy as np

from streamssl.arithmetic.sums import CrossSums
from streamssl.data.events import Float32Array, FloatArray
from streamssl.objectives.closed_form.base import ClosedForm
from streamssl.objectives.closed_form.linear_map import LinearMap, unit_deviation
from streamssl.objectives.closed_form.spectrum import cholesky, leading, padded

# docs/research-log.md, "Constants of the arithmetic"
SLOW_RIDGE = 0.03
LEAST_ACTIVITY = 0.01  # added to each feature's deviation


class SlowFeatures(ClosedForm):
    """The slice that changes least from one event to the next few.

    Args:
        num_features: F.
        num_dimensions: D.
    """

    def __init__(self, *, num_features: int, num_dimensions: int) -> None:
        names = ("total", "change")
        sums = {n: CrossSums(num_left=num_features, num_right=num_features) for n in names}
        super().__init__(num_dimensions=num_dimensions, sums=sums)

    def absorb(self, now_BF: Float32Array, before_BF: Float32Array) -> None:
        """Take in rows, and what the features were a few events of the same key before."""
        change_BF = now_BF - before_BF
        self.sums["total"].add(now_BF, now_BF)
        self.sums["change"].add(change_BF, change_BF)

    def _solved(self) -> tuple[LinearMap, FloatArray]:
        """In units of each feature, so that no active one drowns the others."""
        mean_F, _ = self.sums["total"].means()
        total_FF, change_FF = self.sums["total"].covariance(), self.sums["change"].moments()
        unit_F = 1.0 / (np.sqrt(np.maximum(np.diagonal(total_FF), 0.0)) + LEAST_ACTIVITY)
        unit_FF = np.outer(unit_F, unit_F)
        found = slow_features(
            mean_F * unit_F, total_FF * unit_FF, change_FF * unit_FF, self.num_dimensions
        )
        return LinearMap(unit_F[:, None] * found.weight_FD, found.bias_D), total_FF


def slow_features(
    mean_F: FloatArray, total_FF: FloatArray, change_FF: FloatArray, num_dimensions: int
) -> LinearMap:
    """Leading solutions w of (C - C_w) w = l (C + .03 tr / F) w, in unit deviation.

    C_w is half the covariance of x_t - x_(t - k): what changes within a short time. With
    L L' = C + ..: w = L^-T v of the leading eigenvectors v of L^-1 (C - C_w) L^-T.

    Args:
        mean_F: Mean of the features.
        total_FF: C, their covariance.
        change_FF: Second moments of their changes over a short time.
        num_dimensions: D; dimensions beyond the features are zero.
    """
    total = cholesky(total_FF, SLOW_RIDGE)
    slow_FF = total.solve(total.solve(total_FF - 0.5 * change_FF).T)
    weight_FD = total.solve_transposed(leading(slow_FF, num_dimensions))
    return unit_deviation(mean_F, padded(weight_FD, num_dimensions), total_FF)
