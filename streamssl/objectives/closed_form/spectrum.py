"""Roots and leading directions of covariances.

F = features, D = directions.
"""

from __future__ import annotations

import numpy as np

from streamssl.arithmetic.sketch import signed
from streamssl.data.events import FloatArray


def inverse_root(covariance_FF: FloatArray, ridge: float) -> FloatArray:
    """`[F, F]` (C + ridge tr(C) / F)^-1/2; zeros where nothing varies.

    Example:
        >>> inverse_root(np.diag([4.0, 4.0]), ridge=0.0)
        array([[0.5, 0. ],
               [0. , 0.5]])
    """
    values_F, vectors_FF = np.linalg.eigh(covariance_FF)
    values_F = np.maximum(values_F, 0.0)
    values_F += ridge * values_F.mean()
    if not values_F.max(initial=0.0) > 0.0:
        return np.zeros_like(covariance_FF)
    least = np.finfo(np.float64).eps * values_F.max()
    root_F = np.where(values_F > least, 1.0 / np.sqrt(np.maximum(values_F, least)), 0.0)
    root_FF: FloatArray = (vectors_FF * root_F) @ vectors_FF.T
    return root_FF


def leading(symmetric_FF: FloatArray, num_directions: int) -> FloatArray:
    """`[F, D]` eigenvectors of the largest eigenvalues, largest first; each one's sign is fixed."""
    _, vectors_FF = np.linalg.eigh(symmetric_FF)
    return signed(vectors_FF[:, ::-1][:, :num_directions])


def padded(weight_FD: FloatArray, num_directions: int) -> FloatArray:
    """`[F, D]` with columns of zeros where there are fewer directions than asked for."""
    missing = num_directions - weight_FD.shape[1]
    return np.pad(weight_FD, ((0, 0), (0, max(missing, 0))))
