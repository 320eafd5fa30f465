"""A row's bits do not depend on its place in a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamssl.arithmetic.tiles import tiled_matmul


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("size", "outputs"), [(20, 256), (76, 12), (608, 20), (16, 38)])
def test_a_row_has_the_same_bits_wherever_it_stands(size: int, outputs: int, dtype: type) -> None:
    """OpenBLAS's AVX2 kernel for float32 fails this with tiles of 12 rows and more."""
    rng = np.random.default_rng(0)
    x_BF: Any = rng.normal(size=(70, size)).astype(dtype)
    weight_FG: Any = rng.normal(size=(size, outputs)).astype(dtype)
    whole = tiled_matmul(x_BF, weight_FG)
    for begin in range(0, 60, 7):
        piece = tiled_matmul(x_BF[begin : begin + 9].copy(), weight_FG)
        np.testing.assert_array_equal(piece, whole[begin : begin + 9])


def test_no_rows_give_no_rows() -> None:
    """Neither do weights without a column."""
    assert tiled_matmul(np.zeros((0, 3)), np.zeros((3, 2))).shape == (0, 2)
    assert tiled_matmul(np.zeros((2, 3)), np.zeros((3, 0))).shape == (2, 0)
