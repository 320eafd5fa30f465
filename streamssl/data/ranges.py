"""Which numbers an event may hold.

B = events, C = numbers of an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

# The largest number that an event may hold: what the networks read are float32.
LARGEST = float(np.finfo(np.float32).max)


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
