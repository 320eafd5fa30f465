"""Decayed sums of rows and of products of rows, from which maps are solved.

They are linear in the rows: those of several workers add up to those of all.

B = rows, F = features on the left, G = features on the right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.arithmetic.moments import MEMORY_ROWS
from streamssl.data.events import Float32Array, FloatArray

SUMS = ("weight", "left_F", "right_G", "product_FG")


class CrossSums:
    """Sum of w, w x, w y and w x y' over rows, an old row's w falling by e in 20,000 rows.

    With y = x they hold the covariance of x; with y = x W, W fixed, its sketch (`sketch.py`);
    with y another vector of the same event, what CCA or a regression needs.

    Args:
        num_left: F.
        num_right: G.

    Example:
        >>> sums, x = CrossSums(num_left=1, num_right=1), np.array([[1.0], [3.0]], np.float32)
        >>> sums.add(x, 2.0 * x)
        >>> sums.covariance().round(2)
        array([[2.]])
    """

    def __init__(self, *, num_left: int, num_right: int) -> None:
        self.weight = np.zeros(())
        self.left_F = np.zeros(num_left)
        self.right_G = np.zeros(num_right)
        self.product_FG = np.zeros((num_left, num_right))

    def add(self, x_BF: Float32Array, y_BG: Float32Array) -> None:
        """Let what was added fade by so many rows, then add these."""
        keep = (1.0 - 1.0 / MEMORY_ROWS) ** len(x_BF)
        rows = np.float64(len(x_BF)), x_BF.sum(0), y_BG.sum(0), x_BF.T @ y_BG
        for name, new in zip(SUMS, rows, strict=True):
            setattr(self, name, getattr(self, name) * keep + new)

    def absorb(self, other: CrossSums) -> None:
        """Add what another worker summed up of other rows."""
        for name in SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def fade(self, share: float) -> None:
        """Let all that was added count less."""
        for name in SUMS:
            setattr(self, name, getattr(self, name) * share)

    def means(self) -> tuple[FloatArray, FloatArray]:
        """`[F]` mean of x and `[G]` mean of y; 0 before any row."""
        total = np.maximum(self.weight, 1.0)
        return self.left_F / total, self.right_G / total

    def covariance(self) -> FloatArray:
        """`[F, G]` mean of (x - mean)(y - mean)'; 0 before any row."""
        left_F, right_G = self.means()
        product_FG: FloatArray = self.product_FG / np.maximum(self.weight, 1.0)
        return product_FG - np.outer(left_F, right_G)

    def moments(self, about_F: FloatArray | None = None) -> FloatArray:
        """`[F, G]` mean of (x - m)(y - m)', of x and y in one space; m is 0 where not given."""
        total = np.maximum(self.weight, 1.0)
        product_FG: FloatArray = self.product_FG / total
        if about_F is None:
            return product_FG
        left_F, right_G = self.means()
        share = min(float(self.weight), 1.0)
        return (
            product_FG
            - np.outer(left_F, about_F)
            - np.outer(about_F, right_G)
            + share * np.outer(about_F, about_F)
        )

    def state_dict(self) -> dict[str, Any]:
        """The four sums."""
        return {name: getattr(self, name).copy() for name in SUMS}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the sums.

        Raises:
            ValueError: They are of other vectors.
        """
        for name in SUMS:
            array, known = np.array(state[name]), getattr(self, name)
            if array.shape != known.shape:
                raise ValueError(f"{name!r} has the shape {array.shape}, not {known.shape}")
            setattr(self, name, array)
