"""Factors and leading directions of covariances.

F = features, G = columns, D = directions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from streamssl.arithmetic.sketch import signed
from streamssl.data.events import FloatArray

# docs/research-log.md, "Constants of the arithmetic"
LEAST_RIDGE = 1e-12  # against rounding


class Cholesky(NamedTuple):
    """The factor L of a covariance with a ridge, L L' = C + ..; None where nothing varies."""

    lower_FF: Tensor | None

    def solve(self, x_FG: FloatArray) -> FloatArray:
        """`[F, G]` L^-1 X; zeros where nothing varies."""
        return self._solved(x_FG, transposed=False)

    def solve_transposed(self, x_FG: FloatArray) -> FloatArray:
        """`[F, G]` L^-T X; zeros where nothing varies."""
        return self._solved(x_FG, transposed=True)

    def _solved(self, x_FG: FloatArray, *, transposed: bool) -> FloatArray:
        if self.lower_FF is None:
            return np.zeros_like(x_FG)
        factor_FF = self.lower_FF.T if transposed else self.lower_FF
        x = torch.from_numpy(np.ascontiguousarray(x_FG))
        found_FG: FloatArray = torch.linalg.solve_triangular(factor_FF, x, upper=transposed).numpy()
        return found_FG


def cholesky(covariance_FF: FloatArray, ridge: float) -> Cholesky:
    """The factor of C + ridge tr(C) / F; variances below 0, which are rounding, count as 0.

    Example:
        >>> cholesky(np.diag([4.0, 4.0]), ridge=0.0).solve(np.eye(2))
        array([[0.5, 0. ],
               [0. , 0.5]])
    """
    size = len(covariance_FF)
    level = float(np.trace(covariance_FF)) / max(size, 1)
    if not level > 0.0:
        return Cholesky(None)
    ridge_FF = (ridge + LEAST_RIDGE) * level * np.eye(size)
    try:
        lower_FF = np.linalg.cholesky(covariance_FF + ridge_FF)
    except np.linalg.LinAlgError:  # Of what hardly moves about a high level, rounding is left.
        values_F, vectors_FF = np.linalg.eigh(covariance_FF)
        lower_FF = np.linalg.cholesky(
            (vectors_FF * np.maximum(values_F, 0.0)) @ vectors_FF.T + ridge_FF
        )
    return Cholesky(torch.from_numpy(lower_FF))


def leading(symmetric_FF: FloatArray, num_directions: int) -> FloatArray:
    """`[F, D]` eigenvectors of the largest eigenvalues, largest first; each one's sign is fixed."""
    _, vectors_FF = np.linalg.eigh(symmetric_FF)
    return signed(vectors_FF[:, ::-1][:, :num_directions])


def padded(weight_FD: FloatArray, num_directions: int) -> FloatArray:
    """`[F, D]` with columns of zeros where there are fewer directions than asked for."""
    missing = num_directions - weight_FD.shape[1]
    return np.pad(weight_FD, ((0, 0), (0, max(missing, 0))))
