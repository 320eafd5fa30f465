"""Where unusual rows go that ordinary ones do not: principal directions of both together.

F = features, D = dimensions.
"""

from __future__ import annotations

import numpy as np

from streamssl.data.events import FloatArray
from streamssl.objectives.closed_form.linear_map import LinearMap, unit_deviation
from streamssl.objectives.closed_form.spectrum import leading, padded

# docs/research-log.md, "Constants of the arithmetic"
LEAST_SCALE = 0.02  # added to each feature's deviation
ENOUGH_UNUSUAL = 200.0  # rows from which unusual ones weigh as much as ordinary ones
ORDINARY_FLOOR = 0.05  # added to each dimension's deviation on ordinary rows


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
    inverse_F = 1.0 / (np.sqrt(np.maximum(np.diagonal(ordinary_FF), 0.0)) + LEAST_SCALE)
    both_FF = np.outer(inverse_F, inverse_F)
    share = 0.5 * min(1.0, num_unusual / ENOUGH_UNUSUAL)
    mixed_FF = ((1.0 - share) * ordinary_FF + share * unusual_FF) * both_FF
    weight_FD = inverse_F[:, None] * leading(mixed_FF, num_dimensions)
    padded_FD = padded(weight_FD, num_dimensions)
    return unit_deviation(mean_F, padded_FD, ordinary_FF, ORDINARY_FLOOR)
