"""Dates as people and programs write them: what fits them, and numbers that are other clocks.

B = events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import product

import numpy as np

from streamssl.data.times import Times, date_digits

NUM_LOOKED_AT = 50
MAX_FORMATS = 2
_SEPARATED = ("%d{}%m{}%Y", "%m{}%d{}%Y", "%Y{}%m{}%d", "%d{}%b{}%Y", "%d{}%B{}%Y", "%b{}%d{}%Y")
_SHORT = ("%d{}%m{}%y", "%m{}%d{}%y", "%d{}%b{}%y")
_DAYS = (
    *(day.replace("{}", mark) for mark in "./- " for day in _SEPARATED),
    *("%b %d, %Y", "%B %d, %Y", "%a, %d %b %Y", "%Y%m%d"),
    *(day.replace("{}", mark) for mark in "./-" for day in _SHORT),
)
_HOURS = (
    "%H:%M:%S",
    "%H:%M",
    "%H:%M:%S.%f",
    "%H:%M:%S,%f",
    "%I:%M:%S %p",
    "%I:%M %p",
    "%I:%M:%S.%f %p",
)
_CLOCKS = tuple(mark + hour for mark, hour in product((" ", "T", ", ", "-", ":"), _HOURS))
_ZONES = (" UTC", " GMT", "Z", " Z")
_C_FORMATS = ("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S UTC %Y")
# A year or a clock: else 1.2.34 would be one.
_DATED = re.compile(r"(?=.*\d.*[-./ ]).*((19|20)\d\d|\d:[0-5]\d).*")
# Hours and minutes from UTC, behind a clock.
_OFFSET = re.compile(r".*:[0-5]\d(?:[.,]\d+)?(?: [AaPp][Mm])?( ?)[+-]\d\d:?\d\d")
_CLOCK = re.compile(r"(, |[ T:-])\d{1,2}:[0-5]\d")
# What the day 1970-01-01 is in counts of days, of which the years 2010 to 2050 are known.
_DAY_COUNTS = {"Excel": 25_569.0, "MATLAB": 719_529.0, "Julian": 2_440_587.5, "MJD": 40_587.0}
_DAYS_2010, _DAYS_2050 = 14_610.0, 29_220.0
# The year 2070.
_FAR_S = 3_155_760_000.0


def formats_of(texts: Sequence[str]) -> list[str]:
    """Formats, as `strptime` has them, that all of some texts fit: two where day and month do.

    Before dots the day comes first, if it can.

    Example:
        >>> formats_of(["01/03/2026 08:00"]), formats_of(["03/20/2026 08:00:00 AM"])
        (['%d/%m/%Y %H:%M', '%m/%d/%Y %H:%M'], ['%m/%d/%Y %I:%M:%S %p'])
        >>> formats_of(["01.03.2026"])
        ['%d.%m.%Y']
    """
    texts = [text.strip() for text in texts[:NUM_LOOKED_AT]]
    if not texts or not all(len(text) < NUM_LOOKED_AT and _DATED.fullmatch(text) for text in texts):
        return []
    bare, zone = _without_zone(texts)
    if whole := _fitting(bare, _C_FORMATS):
        return [whole[0] + zone]
    cuts = [match.start() if (match := _CLOCK.search(text)) else len(text) for text in bare]
    days = _fitting([text[:cut] for text, cut in zip(bare, cuts, strict=True)], _DAYS)
    if any(day.startswith("%d.") for day in days):
        days = [day for day in days if day.startswith("%d.")]
    hours = [text[cut:] for text, cut in zip(bare, cuts, strict=True)]
    clocks = _fitting(hours, _CLOCKS) if any(hours) else [""]
    return [day + clock + zone for day in days for clock in clocks[:1]][:MAX_FORMATS]


def _without_zone(texts: Sequence[str]) -> tuple[list[str], str]:
    """Dates without what they all end with, a name of UTC or an offset, and its format."""
    offsets = [match[1] for text in texts if (match := _OFFSET.fullmatch(text))]
    if len(offsets) == len(texts) and len(set(offsets)) == 1:
        return [re.sub(r" ?[+-][\d:]+$", "", text) for text in texts], offsets[0] + "%z"
    zone = next((zone for zone in _ZONES if all(text.endswith(zone) for text in texts)), "")
    return [text.removesuffix(zone) for text in texts], zone


def odd_times(time_B: Times) -> str:
    """What is odd about event times that are read as seconds since 1970; "" where nothing is.

    Example:
        >>> odd_times(np.array([46_082.333, 46_082.334]))[:53]
        'event times such as 46082.333 look like days of Excel'
    """
    if not len(time_B):
        return ""
    shown = f"event times such as {float(time_B[0]):.12g}"
    for unit in (1.0, 1e3):
        if date_digits(np.round(time_B * unit, 6)):
            return (
                f"event times such as {float(time_B[0] * unit):.0f} look like dates, but are read "
                "as seconds or milliseconds since 1970: write ISO 8601, or seconds"
            )
    for name, day_0 in _DAY_COUNTS.items():
        days_B = time_B - day_0
        if ((days_B >= _DAYS_2010) & (days_B < _DAYS_2050)).all() and _are_days(name, time_B):
            return (
                f"{shown} look like days of {name}, but are read as seconds since 1970: where they "
                f"are days, write (days - {day_0:.1f}) * 86400"
            )
    if np.median(time_B) >= _FAR_S:
        return f"{shown} seconds since 1970 are beyond the year 2070: is the time another column?"
    return ""


def _are_days(name: str, time_B: Times) -> bool:
    return name == "Excel" or bool((time_B != np.round(time_B)).any())


def _fitting(texts: Sequence[str], known: Iterable[str]) -> list[str]:
    return [form for form in known if all(fits_format(text, form) for text in texts)]


def fits_format(text: str, date_format: str) -> bool:
    """Whether a text is a date as a format of `strptime` has it."""
    try:
        datetime.strptime(text, date_format)
    except ValueError:
        return False
    return True
