"""Running moments: how fast they move, and what deviation a flat variable has."""

from __future__ import annotations

from typing import Any

import numpy as np

# docs/research-log.md, "Constants of the arithmetic"
MEMORY_ROWS = 20_000
FLAT_VARIANCE = 1e-12
FLAT_SHARE = 0.05


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
    """Standard deviation s = sqrt(v); of a flat variable (v < 1e-12) s = .05 max(|m|, 1).

    Example:
        >>> deviation(np.array([3.0, 40.0]), np.array([4.0, 0.0]))
        array([2., 2.])
    """
    flat = FLAT_SHARE * np.maximum(np.abs(mean), 1.0)
    return np.where(variance < FLAT_VARIANCE, flat, np.sqrt(np.maximum(variance, FLAT_VARIANCE)))
