"""Times and dates: units by size, dates as numbers and as texts, and clocks that are others."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.data.dates import formats_of, odd_times
from streamssl.data.times import column_seconds, date_digits, digit_seconds, epoch_seconds

MARCH = 1_772_352_000.123456


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("seconds", [MARCH, -MARCH, 1e9])
def test_the_unit_is_known_by_the_size(unit: float, seconds: float) -> None:
    """Seconds, milli-, micro- and nanoseconds, to what float64 holds of them."""
    found = epoch_seconds(np.array([seconds * unit, np.nan]))
    np.testing.assert_allclose(found, [seconds, np.nan], rtol=0, atol=1e-6)


def test_small_numbers_stay_seconds() -> None:
    """A count from 0 on, with fractions, negative, and the limit of 1e11 itself."""
    numbers = np.array([0.0, 0.5, 3_600.0, 20_260_301.0, -5.0, 1e11])
    assert epoch_seconds(numbers).tolist() == numbers.tolist()
    assert column_seconds(numbers).tolist() == numbers.tolist()


def test_dates_of_fourteen_digits_are_read_one_by_one() -> None:
    """Whatever stands beside them; one that is no date is no time."""
    found = epoch_seconds(np.array([20260301080000, 20240229235959, 20260229000000, 7]))
    assert found.tolist()[:2] == [1_772_352_000.0, 1_709_251_199.0]
    assert np.isnan(found[2])
    assert found[3] == 7


@pytest.mark.parametrize(
    ("numbers", "digits", "seconds"),
    [
        ([20260301.0, np.nan], 8, [1_772_323_200.0, np.nan]),
        ([202603010800.0], 12, [1_772_352_000.0]),
        ([19691231.0], 8, [-86_400.0]),
        ([20260301.0, 20260232.0], 0, [20260301.0, 20260232.0]),
        ([20260301.0, 5.0], 0, [20260301.0, 5.0]),
        ([20260301.5], 0, [20260301.5]),
        ([np.nan], 0, [np.nan]),
        ([], 0, []),
    ],
)
def test_short_dates_are_read_where_all_are_dates(
    numbers: list[float], digits: int, seconds: list[float]
) -> None:
    """8 and 12 digits could be seconds and milliseconds: one number that is no date decides."""
    given = np.array(numbers, np.float64)
    assert date_digits(given) == digits
    np.testing.assert_array_equal(column_seconds(given), seconds)


@pytest.mark.parametrize("date", [20260001, 20261301, 20260100, 20260132, 20230229, 18991231])
def test_what_is_no_day_of_the_calendar_is_none(date: int) -> None:
    """Months, days, leap years, and the years 1900 to 2099."""
    assert np.isnan(digit_seconds(np.array([date * 1.0]), 8)).all()


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("01/03/2026 08:00:00", ["%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"]),
        ("03/20/2026 08:00:00 AM", ["%m/%d/%Y %I:%M:%S %p"]),
        ("01-Mar-2026 08:00:00", ["%d-%b-%Y %H:%M:%S"]),
        ("2026-03-01 08:00:00 UTC", ["%Y-%m-%d %H:%M:%S UTC"]),
        ("2026/03/01 08:00:00.25", ["%Y/%m/%d %H:%M:%S.%f"]),
        ("Sun Mar 01 08:00:00 2026", ["%a %b %d %H:%M:%S %Y"]),
        ("20260301-08:00", ["%Y%m%d-%H:%M"]),
        ("01/Mar/2026:08:00:00 +0000", ["%d/%b/%Y:%H:%M:%S %z"]),
        ("01.03.2026 08:00:00+01:00", ["%d.%m.%Y %H:%M:%S%z"]),
        ("Sun, 01 Mar 2026 08:00:00 GMT", ["%a, %d %b %Y %H:%M:%S GMT"]),
        ("Sun Mar  1 08:00:00 UTC 2026", ["%a %b %d %H:%M:%S UTC %Y"]),
        ("01.03.2026 08:00:00,123", ["%d.%m.%Y %H:%M:%S,%f"]),
        ("1.2.34", []),
        ("10.10.10.10", []),
        ("pump 2001", []),
        ("12:30", []),
        ("", []),
    ],
)
def test_formats_that_fit_a_text(text: str, formats: list[str]) -> None:
    """The usual orders, names of months, clocks and zones; versions and addresses are no dates."""
    assert formats_of([text]) == formats


def test_all_texts_decide_the_format() -> None:
    """A day beyond 12 tells the month from it; one that is no date leaves none."""
    assert formats_of(["01/03/2026", "20/03/2026"]) == ["%d/%m/%Y"]
    assert formats_of(["01/03/2026", "n/a"]) == formats_of([]) == []


@pytest.mark.parametrize(
    ("times", "word"),
    [
        ([46_082.333, 46_082.334], "days of Excel"),
        ([46_082.0, 46_083.0], "days of Excel"),
        ([740_042.25, 740_042.5], "days of MATLAB"),
        ([2_461_100.5, 2_461_100.75], "days of Julian"),
        ([20_260_301.0, 20_260_302.0], "look like dates"),
        ([202_603_010.800], "look like dates"),
        ([2.6e10, 2.6e10], "beyond the year 2070"),
        ([], ""),
        ([0.0, 1.0, 2.0], ""),
        ([0.0, 46_082.5, 90_000.0], ""),
        ([1.7e9, 1.7e9 + 1], ""),
        ([-1e9], ""),
    ],
)
def test_times_of_another_clock_are_told(times: list[float], word: str) -> None:
    """Days, dates and years far off; counts from 0 on and times of our days are not odd."""
    told = odd_times(np.array(times, np.float64))
    assert word in told
    assert bool(told) == bool(word)
