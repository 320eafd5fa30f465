"""Which numbers an event may hold.

B = events, C = numbers of an event.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# The largest number that an event may hold: what the networks read are float32.
LARGEST = float(np.finfo(np.float32).max)
# Steps of float32 that changes must be larger than, or they are lost in rounding.
LEAST_STEPS = 16.0
EXACT = 2.0**24  # whole numbers up to here are exact in float32


def is_beyond(values_BC: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """`[B, C]` True where a number is infinite or larger than an event may hold; NaN is not."""
    return np.abs(values_BC) > LARGEST


def check_range(fields: Sequence[str], values_BC: npt.NDArray[Any]) -> None:
    """Refuse numbers that no event may hold.

    Raises:
        ValueError: One is infinite or beyond `LARGEST`; the text names field and row.
    """
    beyond_BC = is_beyond(values_BC)
    if beyond_BC.any():
        row, place = np.argwhere(beyond_BC)[0].tolist()
        num_more = int(beyond_BC.sum()) - 1
        more = f" (and {num_more} more)" if num_more else ""
        raise ValueError(
            f"field {fields[place]!r} is {values_BC[row, place]} in row {row}{more}; "
            f"write NaN for a missing number, or one within +-{LARGEST:.2g}"
        )


def warn_of_rounding(fields: Sequence[str], values_BC: npt.NDArray[Any]) -> None:
    """Say of a channel in float32 that its level is so large that its changes are rounded away."""
    highest_C = np.nan_to_num(np.abs(values_BC)).max(0, initial=0.0)
    for place in np.flatnonzero(highest_C >= EXACT).tolist():
        step = np.spacing(highest_C[place])
        if np.nanstd(values_BC[:, place].astype(np.float64)) < LEAST_STEPS * step:
            warnings.warn(
                f"field {fields[place]!r} has a level of {highest_C[place]:.3g}, which float32 "
                f"holds in steps of {step:g}: smaller changes are lost; give float64",
                stacklevel=4,
            )
