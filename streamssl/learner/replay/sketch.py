"""A short sketch of every input, in which alike inputs are near: what redundancy is told by.

N = samples, M = sketch, F = values of an input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamssl.arithmetic.projection import random_projection
from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import Float32Array
from streamssl.data.inputs import Inputs

# docs/research-log.md, "Constants of the arithmetic"
SKETCH = 16
PIXEL_SCALE = 64.0
MIX = 0x9E3779B97F4A7C15  # splitmix64's (Steele et al. 2014)
SHIFTS = (33, 29)


def sketch(inputs: Inputs) -> Float32Array:
    """`[N, M]` unit vectors: numbers and pixels through a fixed random projection, codes hashed.

    Each array weighs the same for each of its values, so that a stream of one kind of array is
    sketched as if there were no other.
    """
    parts = [_array(array.reshape(len(array), -1)) for array in inputs.values()]
    sum_NM = np.sum(parts, axis=0, dtype=np.float32)
    length_N1 = np.sqrt((sum_NM * sum_NM).sum(1, keepdims=True))
    return np.asarray(sum_NM / np.maximum(length_N1, np.finfo(np.float32).tiny))


def _array(values_NF: npt.NDArray[Any]) -> Float32Array:
    if values_NF.dtype == np.uint8:
        values_NF = (values_NF.astype(np.float32) - 127.5) / PIXEL_SCALE
    if np.issubdtype(values_NF.dtype, np.floating):
        numbers_NF = np.nan_to_num(values_NF, posinf=0.0, neginf=0.0).astype(np.float32)
        return tiled_matmul(numbers_NF, random_projection(numbers_NF.shape[1], SKETCH, 0))
    return _signs(values_NF)


def _signs(codes_NF: npt.NDArray[Any]) -> Float32Array:
    """`[N, M]` sum over the codes of ±1/√M, the signs being bits of a hash of place and code."""
    place_F = np.arange(1, codes_NF.shape[1] + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        hash_NF: npt.NDArray[np.uint64] = codes_NF.astype(np.uint64) * np.uint64(MIX)
        hash_NF += place_F * np.uint64(MIX >> 1)
        for shift in SHIFTS:
            hash_NF = (hash_NF ^ (hash_NF >> np.uint64(shift))) * np.uint64(MIX)
    bits_NFM = (hash_NF[:, :, None] >> np.arange(32, 32 + SKETCH, dtype=np.uint64)) & np.uint64(1)
    signs_NM = 2.0 * bits_NFM.sum(1) - codes_NF.shape[1]
    return np.asarray(signs_NM / np.sqrt(SKETCH), np.float32)
