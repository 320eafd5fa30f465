"""The published score knows neither zero nor unit of a channel, and forgets early nonsense."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.data.events import FloatArray
from tests.stream.ordinary import plain, run, with_faults

ROWS = 2_500


def exact(x: FloatArray) -> FloatArray:
    """Readings that float64 holds about any level up to 1e11."""
    return np.round(x * 1024.0) / 1024.0


def stream() -> FloatArray:
    """Three channels; a fault of one."""
    return exact(with_faults(plain(ROWS, seed=21), (2_200,), 10.0))


@pytest.mark.parametrize("offset", [1e9, -1e11])
def test_raw_is_the_same_about_any_level(offset: float) -> None:
    """A deviation of 1 about 1e11 is scored as about 0; what is expected is in the user's units."""
    x = stream()
    moved = x.copy()
    moved[:, 1] += offset
    here, there = run(x), run(moved)
    fitted = slice(256, None)  # before, lags that were never seen are flat, and 5 % of a level wide
    np.testing.assert_allclose(there.raw[fitted], here.raw[fitted], rtol=1e-2)
    np.testing.assert_array_equal(there.anomaly, here.anomaly)
    assert here.anomaly[2_200:2_220].any()
    wanted, found = here.explanation, there.explanation
    for name in ("expected_low_AN", "expected_high_AN"):
        numbers = getattr(found, name)[:, 1] - offset
        np.testing.assert_allclose(numbers, getattr(wanted, name)[:, 1], atol=0.05)
    came = found.actual.numbers_AN[:, 1] - offset
    np.testing.assert_array_equal(came, wanted.actual.numbers_AN[:, 1])


@pytest.mark.parametrize("unit", [2.0**-40, 2.0**-20, 2.0**30])
def test_raw_is_the_same_in_any_unit(unit: float) -> None:
    """A channel in units of 1e-12 is scored as one in units of 1."""
    x = stream()
    scaled = x.copy()
    scaled[:, 1] *= unit
    here, there = run(x), run(scaled)
    fitted = slice(256, None)  # a flat lag of the first rows is .05 wide in any unit
    np.testing.assert_allclose(there.raw[fitted], here.raw[fitted], rtol=0.06)
    assert there.anomaly[2_200:2_220].any()


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("value", [-9999.0, 1e9])
def test_an_impossible_first_reading_is_forgotten(row: int, value: float) -> None:
    """As one of the first two values of a channel: later scores are as without it."""
    x = stream()
    spoiled = x.copy()
    spoiled[row, 1] = value
    later = slice(300, None)
    np.testing.assert_allclose(run(spoiled).raw[later], run(x).raw[later], rtol=0.2)


@pytest.mark.parametrize("row", [2, 10, 31])
@pytest.mark.parametrize("value", [-9999.0, 1e9])
def test_an_impossible_reading_of_the_first_epoch_is_forgotten(row: int, value: float) -> None:
    """`raw` of a fault, and what is expected, are later as without the reading."""
    x = stream()
    spoiled = x.copy()
    spoiled[row, 1] = value
    here, there, fault = run(x), run(spoiled), slice(2_200, 2_220)
    assert there.raw[fault].max() == pytest.approx(here.raw[fault].max(), rel=0.1)
    ranges = [r.explanation.expected_high_AN - r.explanation.expected_low_AN for r in (here, there)]
    assert np.median(ranges[1][:, 1]) < 1.5 * np.median(ranges[0][:, 1])


@pytest.mark.parametrize("row", [40, 200, 900])
@pytest.mark.parametrize("value", [-9999.0, 1e9])
def test_an_impossible_reading_later_leaves_the_score_sharp(row: int, value: float) -> None:
    """`raw` of a fault of the only channel is more than half of what it is without the reading."""
    x = stream()[:, 1:2]
    spoiled = x.copy()
    spoiled[row, 0] = value
    results, fault = run(spoiled), slice(2_200, 2_220)
    assert results.raw[fault].max() > 0.5 * run(x).raw[fault].max()
    assert results.anomaly[fault].any()
