"""Figures by unit: ratios, errors by leaving one out, and paired gains."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.embeddings.tally import Ratio, balanced, merged, paired_gain, tally

UNITS = ("a", "b", "c", "d")


def shares(*values: float) -> Ratio:
    return Ratio(UNITS, np.array(values), np.ones(len(UNITS)))


def test_the_error_of_a_mean_is_the_usual_standard_error() -> None:
    """With equal weights the jackknife gives s / sqrt(U)."""
    values = np.array([0.1, 0.4, 0.5, 0.9])
    found = shares(*values)
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(values.std(ddof=1) / 2)


def test_a_gain_is_paired() -> None:
    """A constant lead has no error, however much the units differ from one another."""
    gain, error = paired_gain(shares(0.2, 0.5, 0.6, 1.0), shares(0.1, 0.4, 0.5, 0.9))
    assert gain == pytest.approx(0.1)
    assert error == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(ValueError, match="same units"):
        paired_gain(shares(0, 0, 0, 0), Ratio(("a",), np.ones(1), np.ones(1)))


def test_every_class_weighs_the_same() -> None:
    """Nine hits of a frequent class do not hide the one miss of a rare one."""
    class_N = np.array([0] * 9 + [1])
    found = balanced(("only",), np.zeros(10, np.int64), class_N, class_N == 0)
    assert found.value == pytest.approx(0.5)
    assert np.isnan(found.error)


def test_runs_are_added_up_by_unit() -> None:
    """The same machine in two runs is one unit, in whatever order they come."""
    first = tally(("a", "b"), np.array([0, 1]), np.array([1.0, 0.0]), np.ones(2))
    second = tally(("b", "c"), np.array([0, 1]), np.array([1.0, 1.0]), np.ones(2))
    both = merged([second, first])
    assert both.units == ("a", "b", "c")
    assert both.gain_U.tolist() == [1.0, 1.0, 1.0]
    assert both.weight_U.tolist() == [1.0, 2.0, 1.0]
    assert np.isnan(Ratio(("a",), np.zeros(1), np.zeros(1)).value)
