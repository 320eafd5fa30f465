"""Numbers at the door: what float32 would round away is told."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from streamssl.data.ranges import warn_of_rounding


def test_changes_that_float32_rounds_away_are_told() -> None:
    """A level of 1e9 with changes of 1: the field, the step and the remedy are named."""
    noise = np.random.default_rng(3).normal(size=(200, 2))
    values = (noise + np.array([20.0, 1e9])).astype(np.float32)
    with pytest.warns(
        UserWarning, match=r"field 'odometer' .* steps of 64: .* give float64"
    ) as told:
        warn_of_rounding(("rpm", "odometer"), values)
    assert len(told) == 1


@pytest.mark.parametrize("level", [0.0, 1e6, 1e9])
def test_what_float32_holds_is_no_warning(level: float) -> None:
    """Small levels, large changes and missing values are fine."""
    noise = np.random.default_rng(4).normal(size=(200, 3)) * max(level / 100.0, 1.0)
    values = (noise + level).astype(np.float32)
    values[:, 2] = np.nan
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warn_of_rounding(("a", "b", "c"), values)
    assert not told
