"""What stays while time passes: slow feature analysis (https://doi.org/10.1162/089976602317318938).

F = features, D = dimensions.
"""

from __future__ import annotations

from streamssl.data.events import FloatArray
from streamssl.objectives.closed_form.linear_map import LinearMap, unit_deviation
from streamssl.objectives.closed_form.spectrum import inverse_root, leading, padded

# docs/research-log.md, "Constants of the arithmetic"
SLOW_RIDGE = 0.03


def slow_features(
    mean_F: FloatArray, total_FF: FloatArray, change_FF: FloatArray, num_dimensions: int
) -> LinearMap:
    """R V of the leading eigenvectors V of R (C - C_w) R, in unit deviation.

    R = (C + .03 tr / F)^-1/2; C_w is half the covariance of x_t - x_(t - k): what changes within a
    short time. Equal to the leading solutions of (C - C_w) w = l (C + ..) w.

    Args:
        mean_F: Mean of the features.
        total_FF: C, their covariance.
        change_FF: Second moments of their changes over a short time.
        num_dimensions: D; dimensions beyond the features are zero.
    """
    root_FF = inverse_root(total_FF, SLOW_RIDGE)
    slow_FF = root_FF @ (total_FF - 0.5 * change_FF) @ root_FF
    weight_FD = root_FF @ leading(slow_FF, num_dimensions)
    return unit_deviation(mean_F, padded(weight_FD, num_dimensions), total_FF)
