"""The recurrence of `arithmetic/scan.py`, compiled.

K = keys, B = events, T = places of a block, D = averaged values.
"""

from __future__ import annotations

from ctypes import c_int64, c_void_p
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from streamssl.native.library import Array, kernel, pointer

_ARGUMENTS = (*(c_int64,) * 4, *(c_void_p,) * 11)
_LETTERS = {np.dtype(np.float64): "f64", np.dtype(np.float32): "f32"}


class Powers(NamedTuple):
    """`[T, D]` what a value is multiplied by at each place of a block, and the sum.

    Attributes:
        gain_TD: A value.
        begin_TD: A value with which its average begins.
        shrink_TD: The sum, which makes it the average.
    """

    gain_TD: Array
    begin_TD: Array
    shrink_TD: Array


class KeyRows(NamedTuple):
    """How the rows of a batch fall to keys, and how many each had before.

    Attributes:
        starts_K: Where a key's rows begin in the order.
        counts_K: Its rows.
        phase_K: Its place in a block before the batch, of T.
        order_B: The rows, key by key.
    """

    starts_K: Array
    counts_K: Array
    phase_K: Array
    order_B: Array


def has_loop(dtype: np.dtype[Any], x_dtype: np.dtype[Any]) -> bool:
    """Whether the library is there, with a loop for sums and values of these types."""
    return _loop(dtype, x_dtype) is not None


def ema_scan(
    powers: Powers, keys: KeyRows, sum_KD: Array, x_BD: Array, first_BD: Array | None
) -> Array:
    """`[B, D]` averages after each event; `sum_KD` becomes the sums after the last ones.

    Args:
        powers: Of the type of the sums.
        keys: Whose the rows are.
        sum_KD: Sums before the batch, written over.
        x_BD: Values.
        first_BD: Where an average begins; None for nowhere.

    Raises:
        ValueError: An array has another type, size or layout than the others ask for.
        IndexError: A row or a phase lies outside.
    """
    (num_places, size), num_keys, num_rows = powers.gain_TD.shape, len(sum_KD), len(x_BD)
    dtype, average_BD = sum_KD.dtype, np.empty((num_rows, size), sum_KD.dtype)
    failed = _loop(dtype, x_BD.dtype)(
        *(num_keys, num_rows, num_places, size),
        *(pointer(column, np.int64, (num_keys,)) for column in keys[:-1]),
        pointer(keys.order_B, np.int64, (num_rows,)),
        *(pointer(power, dtype, (num_places, size)) for power in powers),
        pointer(x_BD, x_BD.dtype, (num_rows, size)),
        None if first_BD is None else pointer(first_BD, np.bool_, (num_rows, size)),
        pointer(sum_KD, dtype, (num_keys, size)),
        pointer(average_BD, dtype, (num_rows, size)),
    )
    if failed:
        raise IndexError("a row or a phase lies outside of its column")
    return average_BD


@cache
def _loop(dtype: np.dtype[Any], x_dtype: np.dtype[Any]) -> Any:
    """The loop for sums of one type and values of another, None where there is none."""
    if dtype not in _LETTERS or x_dtype not in (dtype, np.float32):
        return None
    return kernel(f"ema_scan_{_LETTERS[dtype]}_{_LETTERS[x_dtype]}", _ARGUMENTS)
