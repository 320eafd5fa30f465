"""Running moments: how fast they move, and what deviation a flat variable has.

The constants of this file: docs/research-log.md, "Constants of the arithmetic".
"""

from __future__ import annotations

from typing import Any

import numpy as np

MEMORY_ROWS = 20_000
FLAT_VARIANCE = 1e-12
FLAT_SHARE = 0.05


def learning_rate(total: Any, new: Any) -> Any:
    """R = max(new / total, 1 - (1 - 1/M)^new): the weight of `new` rows in a running mean.

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
    """S = sqrt(v), or 0.05 max(|m|, 1) where v < 1e-12: a flat variable has a size, too."""
    flat = FLAT_SHARE * np.maximum(np.abs(mean), 1.0)
    return np.where(variance < FLAT_VARIANCE, flat, np.sqrt(np.maximum(variance, FLAT_VARIANCE)))
