"""Pooled random convolutions: what a key's recent rows were like, whatever their phase.

Random sparse kernels over a few rows and channels, rectified and averaged over time: random
convolutional features (ROCKET, https://doi.org/10.1007/s10618-020-00701-z) of a stream without
end. What tells machines and regimes apart is such nonlinear activity, not averages of the rows.

B = events, K = keys, L = rows of all keys with their past, C = channels, X = values under a
kernel, H = units.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from streamssl.arithmetic.scan import BLOCK, EmaScan
from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import Float32Array, IntArray
from streamssl.data.keys import KeyColumns, Runs

# docs/research-log.md, "Constants of the arithmetic"
NUM_POOLED = 256
TAPS = (0, 1, 2, 4)  # rows back that a kernel looks at
KERNEL_CHANNELS = 6
CEILING = 4.0
POOLED_SPANS = (8, 32, 128)  # events that averages go over, a third of the units each
MARK_EVERY = 16  # events of a key after which its averages are noted, for a pair with later ones


class PooledUnits:
    """p <- p + 2 / (n + 1) (v - p) with v = clip(sum_l w_l z_(t - l) + b, 0, 4), |w| = 1.

    A kernel has 6 channels at most; every second one sees changes only: its weights of a channel
    add up to nothing. b ~ U(-1, 1).

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
        weight_HX = kernel_HLC.reshape(num_units, -1).astype(np.float32)
        self.weight_XH = np.ascontiguousarray(weight_HX.T)
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


class PooledAdvance(NamedTuple):
    """What the keys' averages are after a batch (not yet written)."""

    slots: IntArray
    sum_KH: Float32Array
    mark_KH: Float32Array


class PooledAverages:
    """The averages of every key's units, and what they were at its last 16th event.

    Args:
        units: What is averaged.
    """

    def __init__(self, units: PooledUnits) -> None:
        self._units, self._scan = units, EmaScan(units.rate_H, np.float32)
        size = (units.num_units,)
        self.columns = KeyColumns(sums=(size, np.float32, 0.0), mark=(size, np.float32, 0.0))

    def read(
        self, runs: Runs, age_K: IntArray, z_LC: Float32Array, place_B: IntArray
    ) -> tuple[Float32Array, PooledAdvance]:
        """`[B, H]` averages after each event; changes nothing.

        Args:
            runs: How the events fall to keys.
            age_K: Events of the keys before the batch.
            z_LC: Standardised rows of the keys, each one's last ones before its new ones.
            place_B: Where the new ones are.
        """
        held = self.columns.rows(runs.slots)
        drive_BH = self._units.drive(z_LC, place_B)
        held_KH: Float32Array = held["sums"]
        pooled_BH, sum_KH = self._scan.run(runs, held_KH, age_K % BLOCK, drive_BH)
        # The last event of each key whose number is a multiple of 16.
        since_K = (age_K + runs.counts - 1) % MARK_EVERY
        here_K = since_K < runs.counts
        row_K = runs.order[runs.starts + np.where(here_K, runs.counts - 1 - since_K, 0)]
        mark_KH = np.where(here_K[:, None], pooled_BH[row_K], held["mark"])
        return pooled_BH, PooledAdvance(runs.slots, sum_KH, mark_KH)

    def marked(
        self, runs: Runs, age_B: IntArray, pooled_BH: Float32Array, rows: IntArray
    ) -> Float32Array:
        """`[rows, H]` what the averages were at the last 16th event of the keys of some rows."""
        since_R = age_B[rows] % MARK_EVERY
        found_RH: Float32Array = self.columns["mark"][runs.slots[runs.group[rows]]]
        here_R = np.flatnonzero(runs.rank[rows] >= since_R)
        chosen = rows[here_R]
        sorted_R = runs.starts[runs.group[chosen]] + runs.rank[chosen] - since_R[here_R]
        found_RH[here_R] = pooled_BH[runs.order[sorted_R]]
        return found_RH

    def write(self, advance: PooledAdvance) -> None:
        """Move on to what `read` returned."""
        self.columns["sums"][advance.slots] = advance.sum_KH
        self.columns["mark"][advance.slots] = advance.mark_KH

    def state_dict(self) -> dict[str, Any]:
        """Averages of every key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)
