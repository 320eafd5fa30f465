"""Promises of the look at whole arrays for missing values."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from streamssl.arithmetic.missing import has_missing, missing_to_zero


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("others", [0.0, 1e-30, np.inf, -np.inf, "largest"])
def test_one_missing_value_is_found_among_any_others(
    kind: type[np.floating], others: float | str
) -> None:
    """And nothing is where there is none, without a warning, whatever the others add up to."""
    value = np.finfo(kind).max if others == "largest" else others
    values: npt.NDArray[np.floating] = np.full((33, 7), value, kind)
    values[1::2] *= -1.0
    assert not has_missing(values)
    values[32, 6] = np.nan
    assert has_missing(values)


def test_only_missing_values_become_zero() -> None:
    """In place, also in an array whose rows are not neighbours."""
    held = np.arange(24, dtype=np.float32).reshape(6, 4)
    values = held[::2, 1:3]
    values[1, 0] = np.nan
    missing_to_zero(values)
    assert values.tolist() == [[1.0, 2.0], [0.0, 10.0], [17.0, 18.0]]
    assert held[2].tolist() == [8.0, 0.0, 10.0, 11.0]


def test_no_value_is_no_missing_value() -> None:
    """An empty array is an array."""
    assert not has_missing(np.zeros((0, 3)))
