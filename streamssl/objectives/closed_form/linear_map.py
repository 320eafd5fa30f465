"""Linear maps from features to a slice of the embedding, and from one space to the next.

N = events, F = features, D = dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streamssl.data.events import Float32Array, FloatArray

Vectors = FloatArray | Float32Array

# docs/research-log.md, "Constants of the arithmetic"
LEAST_DEVIATION = 1e-9  # of a dimension under which it stays zero
MAP_RIDGE = 1.0  # events' worth of shrinkage to no map at all


class LinearMap(NamedTuple):
    """h = x W + b.

    Attributes:
        weight_FD: W.
        bias_D: b.
    """

    weight_FD: FloatArray
    bias_D: FloatArray

    def __call__(self, x_NF: Vectors) -> FloatArray:
        """`[N, D]` of features `[N, F]`."""
        found_ND: FloatArray = x_NF @ self.weight_FD + self.bias_D
        return found_ND

    @classmethod
    def about(cls, mean_F: FloatArray, weight_FD: FloatArray) -> LinearMap:
        """The map (x - m) W."""
        return cls(weight_FD, -(mean_F @ weight_FD))


def unit_deviation(
    mean_F: FloatArray, weight_FD: FloatArray, covariance_FF: FloatArray, least: float = 0.0
) -> LinearMap:
    """The map (x - m) W whose dimensions have a deviation of one under a covariance.

    Args:
        mean_F: m.
        weight_FD: Directions, W before they are scaled.
        covariance_FF: Of the features.
        least: Added to each deviation, so that what hardly moves stays small.
    """
    variance_D = np.einsum("fd,fg,gd->d", weight_FD, covariance_FF, weight_FD, optimize=True)
    deviation_D = np.sqrt(np.maximum(variance_D, 0.0)) + least
    scale_D = np.where(deviation_D > LEAST_DEVIATION, 1.0 / np.maximum(deviation_D, 1e-300), 0.0)
    return LinearMap.about(mean_F, weight_FD * scale_D)


def rotated(new: LinearMap, old: LinearMap, covariance_FF: FloatArray) -> LinearMap:
    """The new map in the rotation that brings it nearest to the old one.

    Orthogonal Procrustes (Schoenemann 1966, https://doi.org/10.1007/BF02289451) between the two
    images of the features: R = U V' of the singular vectors of W' C W_old.

    Args:
        new: A map that was solved anew.
        old: That of the space before, of as many dimensions.
        covariance_FF: Of the features.
    """
    left, _, right = np.linalg.svd(new.weight_FD.T @ covariance_FF @ old.weight_FD)
    turn_DD = left @ right
    return LinearMap(new.weight_FD @ turn_DD, new.bias_D @ turn_DD)


def fitted(old_ND: Vectors, new_ND: Vectors) -> LinearMap:
    """The linear map from an old space to a new one, by events that were embedded in both.

    Ridge regression with an intercept: what moves little in the old space carries nothing over.
    """
    mean_D, target_D = old_ND.mean(0), new_ND.mean(0)
    centred_ND = old_ND - mean_D
    gram_DD = centred_ND.T @ centred_ND + MAP_RIDGE * np.eye(old_ND.shape[1])
    weight_DD = np.linalg.solve(gram_DD, centred_ND.T @ (new_ND - target_D))
    return LinearMap(weight_DD, target_D - mean_D @ weight_DD)


def anchor_cosine(one_ND: Vectors, other_ND: Vectors) -> float:
    """Median cosine between two embeddings of the same events; NaN without events.

    Example:
        >>> anchor_cosine(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0]]))
        1.0
    """
    size_N = np.linalg.norm(one_ND, axis=1) * np.linalg.norm(other_ND, axis=1)
    product_N = np.einsum("nd,nd->n", one_ND, other_ND)
    return float(np.median(product_N / np.maximum(size_N, 1e-300))) if len(size_N) else float("nan")
