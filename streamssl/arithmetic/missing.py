"""Missing values of whole arrays: most have none, and one pass over the values says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def has_missing(values: npt.NDArray[np.floating[Any]]) -> bool:
    """Whether any of the floats is NaN, whatever their shape.

    The sum of squares is NaN then and only then (infinities add up to infinity), and a BLAS takes
    a third of the time of a sum.

    Example:
        >>> has_missing(np.array([[1.0, np.inf], [-np.inf, 2.0]]))
        False
        >>> has_missing(np.array([1.0, np.nan]))
        True
    """
    flat = values.reshape(-1)
    with np.errstate(over="ignore"):
        return bool(np.isnan(np.dot(flat, flat)))


def missing_to_zero(values: npt.NDArray[np.floating[Any]]) -> None:
    """Give missing values 0, in place; beside one, what is infinite becomes the largest number.

    Example:
        >>> values = np.array([1.0, np.nan])
        >>> missing_to_zero(values)
        >>> values
        array([1., 0.])
    """
    if has_missing(values):
        np.nan_to_num(values, copy=False, nan=0.0)
