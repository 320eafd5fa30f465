"""Event times: from numbers and texts to seconds since 1970.

B = events.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

# Beyond them in size a number counts milli-, micro- and nanoseconds.
UNITS_ABOVE = (1e11, 1e14, 1e17)
UNITS = (1.0, 1e3, 1e6, 1e9)
TIMES_READ = "seconds (or milli-, micro- or nanoseconds) since 1970, or ISO 8601"
_YEAR_1, _YEAR_10000 = -62_135_596_800.0, 253_402_300_800.0
_FIRST_YEAR, _END_YEAR = 1900, 2100
_UNITS_B, _ABOVE_B = np.array(UNITS), np.array(UNITS_ABOVE)
Times = npt.NDArray[np.float64]


def epoch_seconds(numbers_B: Times) -> Times:
    """Seconds since 1970 from seconds, or from smaller units where beyond 1e11 in size.

    From 1e11 on they are milliseconds, from 1e14 microseconds, from 1e17 nanoseconds. A number of
    14 digits that begins with 19 or 20 is a date, year to second (milliseconds would be beyond the
    year 2500), or NaN.

    Example:
        >>> epoch_seconds(np.array([1.7e9, 1.7e12, 1.7e15, 1.7e18, 20231114221320])).tolist()
        [1700000000.0, 1700000000.0, 1700000000.0, 1700000000.0, 1700000000.0]
    """
    time_B = numbers_B / _UNITS_B[np.searchsorted(_ABOVE_B, np.abs(numbers_B))]
    dated_B = _in_years(numbers_B, 14)
    if dated_B.any():
        time_B[dated_B] = digit_seconds(numbers_B[dated_B], 14)
    return time_B


def column_seconds(numbers_B: Times) -> Times:
    """Seconds since 1970 of a whole column of numbers: as one, or as dates where all are dates."""
    digits = date_digits(numbers_B)
    return digit_seconds(numbers_B, digits) if digits else epoch_seconds(numbers_B)


def date_digits(numbers_B: Times) -> int:
    """8 or 12 where every known number is a date of so many digits, else 0.

    Example:
        >>> date_digits(np.array([20260228, 20260301])), date_digits(np.array([20260228, 20260229]))
        (8, 0)
    """
    known_N = numbers_B[~np.isnan(numbers_B)]
    for digits in (8, 12):
        if len(known_N) and _in_years(known_N, digits).all():
            return 0 if np.isnan(digit_seconds(known_N, digits)).any() else digits
    return 0


def digit_seconds(numbers_B: Times, digits: int) -> Times:
    """Seconds since 1970 of dates such as 20260301 or 20260301080000, NaN where there is none.

    Args:
        numbers_B: The dates: year, month, day, and what follows down to the second.
        digits: How many they have: 8, 12 or 14.
    """
    good_B = _in_years(numbers_B, digits) & (numbers_B == np.round(numbers_B))
    rest_B = np.where(good_B, numbers_B, 0.0).astype(np.int64) * 10 ** (14 - digits)
    parts = []
    for _ in range(5):
        rest_B, part_B = np.divmod(rest_B, 100)
        parts.append(part_B)
    second_B, minute_B, hour_B, day_B, month_B = parts
    first_B = ((rest_B - 1970) * 12 + month_B - 1).astype("datetime64[M]")
    days_B = (first_B + 1).astype("datetime64[D]") - first_B.astype("datetime64[D]")
    good_B &= (month_B >= 1) & (month_B <= 12) & (day_B >= 1) & (day_B <= days_B.astype(np.int64))
    good_B &= (hour_B < 24) & (minute_B < 60) & (second_B < 60)
    day_B = first_B.astype("datetime64[D]").astype(np.int64) + day_B - 1
    seconds_B = ((day_B * 24 + hour_B) * 60 + minute_B) * 60 + second_B
    return np.where(good_B, seconds_B, np.nan)


def iso_seconds(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time (UTC where it names no zone), NaN if it is none."""
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def parse_times(values: Sequence[float | str]) -> Times:
    """Seconds since 1970 from numbers and ISO 8601 texts; NaN where a text is no time."""
    if str not in set(map(type, values)):
        return epoch_seconds(np.array(values, np.float64))
    texts = np.array([iso_seconds(v) if isinstance(v, str) else np.nan for v in values])
    numbers = np.array([np.nan if isinstance(v, str) else v for v in values])
    return np.where(np.isnan(numbers), texts, epoch_seconds(numbers))


def bad_times(time_B: Times) -> npt.NDArray[np.bool_]:
    """True where a time is not within the years 1 to 9999 (NaN is not)."""
    return ~((time_B >= _YEAR_1) & (time_B < _YEAR_10000))


def _in_years(numbers_B: Times, digits: int) -> npt.NDArray[np.bool_]:
    """Where numbers of so many digits begin with a year from 1900 to 2099."""
    scale = 10.0 ** (digits - 4)
    return (numbers_B >= _FIRST_YEAR * scale) & (numbers_B < _END_YEAR * scale)
