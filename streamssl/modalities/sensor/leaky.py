"""Leaky random units: a fixed, untrained recurrent summary of a key's recent past.

h <- h + rate (tanh(W z' + b) - h) with z' = 5 tanh(z / 5), W ~ N(0, 0.75^2 / C), b ~ U(-1, 1) and
rates log-uniform on [0.02, 1]: an echo state network (Jaeger 2001) without links between units.

B = events, C = channels, H = units.
"""

from __future__ import annotations

import numpy as np

from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import FloatArray

# docs/research-log.md, "Constants of the arithmetic"
NUM_UNITS = 96
SQUASH = 5.0
INPUT_SCALE = 0.75
SLOWEST_RATE = 0.02


def squash(z: FloatArray) -> FloatArray:
    """Standardised values, bounded smoothly: z' = 5 tanh(z / 5)."""
    bounded: FloatArray = z / SQUASH
    _tanh(bounded)
    bounded *= SQUASH
    return bounded


def _tanh(values: FloatArray) -> None:
    """In place, as precise as float32, which takes a third of the time."""
    with np.errstate(over="ignore"):  # What float32 cannot hold is at the bound, too.
        np.tanh(values, out=values, dtype=np.float32, casting="same_kind")


class LeakyUnits:
    """Weights, biases and rates of the units, drawn once from a seed.

    Args:
        num_channels: C.
        num_units: H.
        seed: Seed of the weights.
    """

    def __init__(self, *, num_channels: int, num_units: int = NUM_UNITS, seed: int = 0) -> None:
        generator = np.random.default_rng([seed, num_channels, num_units])
        scale = INPUT_SCALE / np.sqrt(num_channels)
        self.num_units = num_units
        self.weight_CH = generator.normal(0.0, scale, (num_channels, num_units))
        self.bias_H = generator.uniform(-1.0, 1.0, num_units)
        self.rate_H = np.exp(generator.uniform(np.log(SLOWEST_RATE), 0.0, num_units))

    def drive(self, z_BC: FloatArray) -> FloatArray:
        """`[B, H]` tanh(W z' + b): what the units move towards, for standardised rows."""
        drive_BH = tiled_matmul(squash(z_BC), self.weight_CH)
        drive_BH += self.bias_H
        _tanh(drive_BH)
        return drive_BH
