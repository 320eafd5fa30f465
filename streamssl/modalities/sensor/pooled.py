"""Pooled random convolutions: what a key's recent rows were like, whatever their phase.

Random sparse kernels over a few rows and channels, rectified and averaged over time: random
convolutional features (ROCKET, https://doi.org/10.1007/s10618-020-00701-z) of a stream without
end. What tells machines and regimes apart is such nonlinear activity, not averages of the rows.

B = events, L = rows of all keys with their past, C = channels, X = values under a kernel,
H = units.
"""

from __future__ import annotations

import numpy as np

from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import Float32Array, IntArray

# docs/research-log.md, "Constants of the arithmetic"
NUM_POOLED = 256
TAPS = (0, 1, 2, 4)  # rows back that a kernel looks at
KERNEL_CHANNELS = 6
CEILING = 4.0
POOLED_SPANS = (8, 32, 128)  # events that averages go over, a third of the units each


class PooledUnits:
    """p <- p + 2 / (n + 1) (v - p) with v = clip(sum_l w_l z_(t - l) + b, 0, 4), |w| = 1.

    A kernel has 6 channels at most; every second one sees changes only: its weights of a channel
    add up to nothing. b ~ U(-1, 1). The averages themselves are an `EmaScan`'s, with `rate_H`.

    Args:
        num_channels: C.
        num_units: H.
        seed: Seed of the kernels.

    Attributes:
        rate_H: 2 / (n + 1) of each unit.
    """

    def __init__(self, *, num_channels: int, num_units: int = NUM_POOLED, seed: int = 0) -> None:
        generator = np.random.default_rng([seed, num_channels, num_units, len(TAPS)])
        kernel_HLC = np.zeros((num_units, len(TAPS), num_channels))
        for unit, kernel_LC in enumerate(kernel_HLC):
            width = min(KERNEL_CHANNELS, num_channels)
            chosen = generator.choice(num_channels, width, replace=False)
            weight_LX = generator.normal(size=(len(TAPS), width))
            if unit % 2 == 0:
                weight_LX -= weight_LX.mean(0)
            kernel_LC[:, chosen] = weight_LX / np.linalg.norm(weight_LX)
        self.num_units = num_units
        self.weight_XH = kernel_HLC.reshape(num_units, -1).T.astype(np.float32)
        self.bias_H = generator.uniform(-1.0, 1.0, num_units).astype(np.float32)
        spans = np.array_split(np.arange(num_units), len(POOLED_SPANS))
        sizes = [len(units) for units in spans]
        self.rate_H = np.repeat([2.0 / (span + 1.0) for span in POOLED_SPANS], sizes)

    def drive(self, z_LC: Float32Array, place_B: IntArray) -> Float32Array:
        """`[B, H]` activities v of the rows at some places.

        Args:
            z_LC: Standardised rows, finite, one key after another.
            place_B: Where each event's row is; at least four rows of its key lie before it.
        """
        under_BX = np.concatenate([z_LC[place_B - tap] for tap in TAPS], axis=1)
        activity_BH: Float32Array = tiled_matmul(under_BX, self.weight_XH)
        activity_BH += self.bias_H
        return np.clip(activity_BH, 0.0, CEILING, out=activity_BH)
