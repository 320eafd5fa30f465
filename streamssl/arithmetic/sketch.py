"""Principal directions of a covariance of which only a sketch S W is known.

F = features, K = columns of the sketch, Q = directions.
"""

from __future__ import annotations

import numpy as np

from streamssl.data.events import FloatArray

# docs/research-log.md, "Constants of the arithmetic"
LEAST_SHARE = 1e-9  # of the largest eigenvalue: what is smaller is rounding


def principal_directions(
    sketch_FK: FloatArray, test_FK: FloatArray, rank: int
) -> tuple[FloatArray, FloatArray]:
    """`[Q]` largest eigenvalues and `[F, Q]` eigenvectors of the covariance S, largest first.

    Of its Nystrom approximation (S W)(W' S W)^+ (S W)', which is S itself on the columns of W
    (Gittens and Mahoney 2016, https://arxiv.org/abs/1303.1849). Each vector has its largest entry
    positive; those in whose direction nothing moves are 0.

    Args:
        sketch_FK: S W.
        test_FK: W.
        rank: Q, K or less.

    Example:
        >>> covariance = np.diag([1.0, 9.0, 4.0])
        >>> values, vectors = principal_directions(covariance, np.eye(3), 2)
        >>> values.round(3).tolist(), vectors.argmax(0).tolist()
        ([9.0, 4.0], [1, 2])
    """
    core_KK = test_FK.T @ sketch_FK
    size_K, turn_KK = np.linalg.eigh(0.5 * (core_KK + core_KK.T))
    root_FK = sketch_FK @ (turn_KK * _inverse(np.sqrt(np.maximum(size_K, 0.0))))
    values_K, right_KK = np.linalg.eigh(root_FK.T @ root_FK)
    values_Q = np.maximum(values_K[::-1][:rank], 0.0)
    vectors_FQ = root_FK @ (right_KK[:, ::-1][:, :rank] * _inverse(np.sqrt(values_Q)))
    return values_Q, signed(vectors_FQ)


def signed(vectors_FQ: FloatArray) -> FloatArray:
    """Columns, each with the sign that makes its largest entry positive.

    Example:
        >>> signed(np.array([[1.0, 0.0], [-2.0, 3.0]])).tolist()
        [[-1.0, 0.0], [2.0, 3.0]]
    """
    largest_1Q = np.abs(vectors_FQ).argmax(0)[None]
    sign_Q = np.where(np.take_along_axis(vectors_FQ, largest_1Q, 0)[0] < 0.0, -1.0, 1.0)
    return vectors_FQ * sign_Q


def _inverse(root_K: FloatArray) -> FloatArray:
    """1 / s, and 0 where s^2 is a rounding error beside the largest."""
    least = np.sqrt(LEAST_SHARE) * root_K.max(initial=0.0)
    known_K = root_K > max(least, 1e-150)
    return np.where(known_K, 1.0 / np.where(known_K, root_K, 1.0), 0.0)
