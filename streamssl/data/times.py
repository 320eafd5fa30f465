"""Event times: from numbers and texts to seconds since 1970.

B = events.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

MILLISECONDS_ABOVE = 1e11
_YEAR_1, _YEAR_10000 = -62_135_596_800.0, 253_402_300_800.0


def epoch_seconds(numbers_B: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Seconds since 1970 from seconds, or from milliseconds where beyond 1e11 in size.

    Example:
        >>> epoch_seconds(np.array([1.7e9, 1.7e12])).tolist()
        [1700000000.0, 1700000000.0]
    """
    return np.where(np.abs(numbers_B) > MILLISECONDS_ABOVE, numbers_B / 1e3, numbers_B)


def iso_seconds(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time (UTC where it names no zone), NaN if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def parse_times(values: Sequence[float | str]) -> npt.NDArray[np.float64]:
    """Seconds since 1970 from numbers and ISO 8601 texts; NaN where a text is no time."""
    if str not in set(map(type, values)):
        return epoch_seconds(np.array(values, np.float64))
    texts = np.array([iso_seconds(v) if isinstance(v, str) else np.nan for v in values])
    numbers = np.array([np.nan if isinstance(v, str) else v for v in values])
    return np.where(np.isnan(numbers), texts, epoch_seconds(numbers))


def bad_times(time_B: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """True where a time is not within the years 1 to 9999 (NaN is not)."""
    return ~((time_B >= _YEAR_1) & (time_B < _YEAR_10000))
