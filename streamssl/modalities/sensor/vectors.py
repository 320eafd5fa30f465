"""The feature vectors of the Gaussians: averages with last rows, lagged rows, leaky units.

B = events, C = channels, F = features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamssl.arithmetic.projection import random_projection
from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import Float32Array, FloatArray
from streamssl.modalities.sensor.features import Features
from streamssl.scorers.gaussian_bank import CLIP

# docs/research-log.md, "Constants of the arithmetic"
AVERAGED_VALUES = 50
LAGGED_VALUES = 100


def num_last(num_channels: int) -> int:
    """Rows behind the averages, about 50 values in all: max(1, 50 // C)."""
    return max(1, AVERAGED_VALUES // num_channels)


def num_lags(num_channels: int) -> int:
    """Rows in the lagged vector, about 100 values in all: max(1, 100 // C)."""
    return max(1, LAGGED_VALUES // num_channels)


def num_recent(num_channels: int) -> int:
    """Rows of a key that the vectors are made of; at least the newest and the one before."""
    return max(num_last(num_channels), num_lags(num_channels), 2)


@dataclass(frozen=True, slots=True)
class ChannelVector:
    """Builds one feature vector whose features each belong to a channel.

    Attributes:
        num_channels: C.
        num_rows: Last rows in it.
        averages: Whether it begins with the moving averages.
        max_features: Longer vectors are standardised per key and projected to this size.
        seed: Seed of the projection.
    """

    num_channels: int
    num_rows: int
    averages: bool
    max_features: int
    seed: int

    @property
    def num_blocks(self) -> int:
        """Values per channel before any projection."""
        return self.num_rows + (2 if self.averages else 0)

    @property
    def num_features(self) -> int:
        """F, the length of the vector as it is scored: after any projection."""
        return min(self.max_features, self.num_blocks * self.num_channels)

    @property
    def projected(self) -> bool:
        """True where the vector is too long for a covariance of its own."""
        return self.num_blocks * self.num_channels > self.max_features

    def projection(self) -> Float32Array:
        """`[blocks * C, F]` the seeded projection."""
        return random_projection(self.num_blocks * self.num_channels, self.num_features, self.seed)

    def build(self, features: Features) -> Float32Array:
        """`[B, F]` vectors in the input's units; projected ones are standardised first."""
        rows_BNC = features.recent_BNC[:, -self.num_rows :]
        flat_BF = rows_BNC.reshape(len(features), self.num_rows * self.num_channels)
        if self.averages:
            flat_BF = np.concatenate([features.ema_BF, flat_BF], axis=1)
        if not self.projected:
            return flat_BF
        z_BF = self._standardise(flat_BF, features.center_BC, features.scale_BC)
        np.nan_to_num(z_BF, copy=False, nan=0.0)
        return tiled_matmul(np.clip(z_BF, -CLIP, CLIP, out=z_BF), self.projection())

    def standardise(
        self, x_BF: Float32Array, center_BC: FloatArray, scale_BC: FloatArray
    ) -> Float32Array:
        """(x - m) / s: vectors in units of their key's channels (projected ones are so already)."""
        return x_BF if self.projected else self._standardise(x_BF, center_BC, scale_BC)

    def _standardise(
        self, x_BF: Float32Array, center_BC: FloatArray, scale_BC: FloatArray
    ) -> Float32Array:
        """`[B, F]` (x - m) / s of each feature's channel."""
        blocks = x_BF.reshape(len(x_BF), self.num_blocks, self.num_channels)
        with np.errstate(over="ignore"):  # What float32 cannot hold is beyond CLIP, too.
            z_BNC = blocks - center_BC[:, None].astype(np.float32)
            z_BNC *= (1.0 / scale_BC)[:, None].astype(np.float32)
        return z_BNC.reshape(x_BF.shape)
