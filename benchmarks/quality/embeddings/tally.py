"""What a probe measured, kept by unit (machine), so that errors and paired gains can be told.

N = rows or incidents that were judged, U = units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamssl.data.events import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of sums over units: a share of hits, a mean, or an R^2.

    Attributes:
        units: Names of the U units; those of different streams differ.
        gain_U: Numerator of each unit.
        weight_U: Denominator of each unit, >= 0.
    """

    units: tuple[str, ...]
    gain_U: FloatArray
    weight_U: FloatArray

    @property
    def value(self) -> float:
        """The ratio over all units, NaN where nothing was judged.

        Example:
            >>> Ratio(("a", "b"), np.array([1.0, 2.0]), np.array([2.0, 2.0])).value
            0.75
        """
        return float(_ratio(self.gain_U.sum(), self.weight_U.sum()))

    @property
    def error(self) -> float:
        """Standard error of the value over units (jackknife); NaN with fewer than two."""
        return _jackknife(self._without_each())

    def _without_each(self) -> FloatArray:
        """`[U]` the value without each unit in turn."""
        return _ratio(self.gain_U.sum() - self.gain_U, self.weight_U.sum() - self.weight_U)


def tally(
    names: Sequence[str], unit_N: IntArray, gain_N: FloatArray, weight_N: FloatArray
) -> Ratio:
    """Sums of gains and weights by unit.

    Args:
        names: Names of the units.
        unit_N: Index of each row's unit.
        gain_N: What each row adds to the numerator.
        weight_N: What it adds to the denominator.
    """
    sums = [np.bincount(unit_N, x_N, len(names)).astype(np.float64) for x_N in (gain_N, weight_N)]
    return Ratio(tuple(names), *sums)


def balanced(names: Sequence[str], unit_N: IntArray, class_N: IntArray, hit_N: BoolArray) -> Ratio:
    """Mean over classes of the share of hits: each class weighs the same.

    Args:
        names: Names of the units.
        unit_N: Index of each row's unit.
        class_N: True class of each row, 0, 1, ...
        hit_N: Whether the row's class was found.
    """
    count_C = np.maximum(np.bincount(class_N), 1)
    weight_N = 1.0 / count_C[class_N] / max(len(np.unique(class_N)), 1)
    return tally(names, unit_N, hit_N * weight_N, weight_N)


def merged(tallies: Sequence[Ratio]) -> Ratio:
    """Several runs' tallies as one: units of the same name are added up."""
    names = [name for each in tallies for name in each.units]
    units, unit_N = np.unique(names, return_inverse=True)
    gain_N, weight_N = (
        np.concatenate([getattr(each, column) for each in tallies])
        for column in ("gain_U", "weight_U")
    )
    return tally([str(unit) for unit in units], unit_N, gain_N, weight_N)


def paired_gain(first: Ratio, second: Ratio) -> tuple[float, float]:
    """How much larger the first value is, and the standard error of that over the same units.

    Raises:
        ValueError: They were not measured on the same units.
    """
    if first.units != second.units:
        raise ValueError("a paired gain needs two tallies of the same units; merge both alike")
    return first.value - second.value, _jackknife(first._without_each() - second._without_each())


def _ratio(gain: FloatArray | np.floating, weight: FloatArray | np.floating) -> FloatArray:
    return np.where(weight > 0, gain / np.where(weight > 0, weight, 1.0), np.nan)


def _jackknife(without_U: FloatArray) -> float:
    """sqrt((U - 1) / U sum_u (v_-u - mean)^2), with v_-u the value without unit u."""
    num_units = len(without_U)
    if num_units < 2:
        return float("nan")
    return float(np.sqrt((num_units - 1) * without_U.var()))
