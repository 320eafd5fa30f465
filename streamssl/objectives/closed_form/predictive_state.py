"""What of the past tells the future: canonical correlations between a summary and future rows.

The predictive state of a stream (Hotelling 1936, https://doi.org/10.1093/biomet/28.3-4.321; for
time series Akaike 1975).

B = events, F = features of the past, Y = values of the future, D = dimensions.
"""

from __future__ import annotations

import numpy as np

from streamssl.arithmetic.sketch import signed
from streamssl.arithmetic.sums import CrossSums
from streamssl.data.events import Float32Array, FloatArray
from streamssl.objectives.closed_form.base import ClosedForm
from streamssl.objectives.closed_form.linear_map import LinearMap, unit_deviation
from streamssl.objectives.closed_form.spectrum import cholesky, padded

# docs/research-log.md, "Constants of the arithmetic"
PAST_RIDGE = 0.03
FUTURE_RIDGE = 0.1
RANK_SHARE = 1e-12  # of the largest correlation's square, under which one is rounding


class PredictiveState(ClosedForm):
    """The slice that says the most about the rows to come.

    Args:
        num_past: F.
        num_future: Y.
        num_dimensions: D.
    """

    def __init__(self, *, num_past: int, num_future: int, num_dimensions: int) -> None:
        sizes = {"past": (num_past,) * 2, "shared": (num_past, num_future)}
        sizes["future"] = (num_future,) * 2
        sums = {name: CrossSums(num_left=x, num_right=y) for name, (x, y) in sizes.items()}
        super().__init__(num_dimensions=num_dimensions, sums=sums)

    def absorb(self, past_BF: Float32Array, future_BY: Float32Array) -> None:
        """Take in rows whose future is known by now."""
        self.sums["past"].add(past_BF, past_BF)
        self.sums["shared"].add(past_BF, future_BY)
        self.sums["future"].add(future_BY, future_BY)

    def _solved(self) -> tuple[LinearMap, FloatArray]:
        past_FF, shared_FY, future_YY = (sums.covariance() for sums in self.sums.values())
        mean_F, _ = self.sums["past"].means()
        found = predictive_state(mean_F, past_FF, shared_FY, future_YY, self.num_dimensions)
        return found, past_FF


def predictive_state(
    mean_F: FloatArray,
    past_FF: FloatArray,
    shared_FY: FloatArray,
    future_YY: FloatArray,
    num_dimensions: int,
) -> LinearMap:
    """Leading solutions w of C_xy (C_yy + ..)^-1 C_yx w = rho^2 (C_xx + ..) w, in unit deviation.

    With L L' = C_xx + .03 tr / F, L_y likewise with .1, and A = L^-1 C_xy L_y^-T: w = L^-T A v of
    the leading eigenvectors v of A' A, which is as small as the future.

    Args:
        mean_F: Mean of the past's features.
        past_FF: Covariance of the past.
        shared_FY: Of past and future.
        future_YY: Of the future.
        num_dimensions: D; dimensions beyond the rank are zero.
    """
    past, future = cholesky(past_FF, PAST_RIDGE), cholesky(future_YY, FUTURE_RIDGE)
    across_FY = future.solve(past.solve(shared_FY).T).T
    strength_Y, right_YY = np.linalg.eigh(across_FY.T @ across_FY)
    kept = min(num_dimensions, int((strength_Y > RANK_SHARE * strength_Y[-1]).sum()))
    weight_FD = past.solve_transposed(across_FY @ right_YY[:, ::-1][:, :kept])
    return unit_deviation(mean_F, padded(signed(weight_FD), num_dimensions), past_FF)
