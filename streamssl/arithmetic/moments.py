"""Running moments: how fast they move, and what deviation a flat variable has."""

from __future__ import annotations

from typing import Any

import numpy as np

# docs/research-log.md, "Constants of the arithmetic"
MEMORY_ROWS = 20_000
FLAT = 1e-6
FLAT_SHARE = 0.05
LEAST_DEVIATION = 1e-18  # float32 holds its square


def learning_rate(total: Any, new: Any) -> Any:
    """Weight of `new` rows in a running mean: r = max(new / total, 1 - (1 - 1/M)^new).

    The mean of all rows at first, then an exponential one over about M = `MEMORY_ROWS` rows.

    Args:
        total: Rows learned, the new ones included; rows may have weights.
        new: Rows that are new.

    Example:
        >>> round(float(learning_rate(4.0, 1.0)), 3)
        0.25
    """
    return np.maximum(new / np.maximum(total, 1e-300), 1.0 - (1.0 - 1.0 / MEMORY_ROWS) ** new)


def deviation(mean: Any, variance: Any) -> Any:
    """Standard deviation s = sqrt(v); of a flat variable s = .05 max(|m|, 1).

    Flat is what moves by a millionth of its level at most, or by 1e-6 if that is less.

    Example:
        >>> deviation(np.array([3.0, 40.0]), np.array([4.0, 0.0]))
        array([2., 2.])
    """
    size, root = np.abs(mean), np.sqrt(np.maximum(variance, 0.0))
    flat = FLAT_SHARE * np.maximum(size, 1.0)
    return np.where(root <= FLAT * np.minimum(size, 1.0), flat, np.maximum(root, LEAST_DEVIATION))
