"""What an unusual stretch of rows looks like: residuals of the core, smoothed, and their manner.

The residual of each channel says which one is off; descriptors that know no channel (how large, how
lasting, how jumpy, how flat) say in which way, so that the same fault is known on another channel.

B = events, K = keys, C = channels, P = descriptors, F = features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streamssl.arithmetic.scan import BLOCK, EmaScan
from streamssl.data.events import Float32Array, IntArray
from streamssl.data.keys import KeyColumns, Runs

# docs/research-log.md, "Constants of the arithmetic"
FARTHEST_PRODUCT = 30.0
LARGEST_ENERGY = 225.0
STRONG = 6.0  # deviations from which a residual is one by itself
STRONG_ENERGY = 100.0
STILL = 1e-6  # deviations by which a channel moves at most that stands still
LEAST_ENERGY = 1e-3
# Spans of the averages, of each channel, in the order of `_averaged`.
SPANS = (8, 16, 32, 16, 16, 16, 16, 16, 8, 16)
NUM_DESCRIPTORS = 10


class FaultAdvance(NamedTuple):
    """What the keys remember of their residuals after a batch (not yet written)."""

    slots: IntArray
    columns: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Averages:
    """`[B, C]` moving averages of each channel, by what they are of."""

    residual: Float32Array
    size: Float32Array
    slow_residual: Float32Array
    jump: Float32Array
    echo: Float32Array
    change: Float32Array
    still: Float32Array
    strong: Float32Array
    short_energy: Float32Array
    energy: Float32Array


class FaultFeatures:
    """`[B, 2 C + 21]`: residuals over 8 events, their sizes over 16, and how all channels behave.

    Ten descriptors of each channel are averaged over all channels, and over those where the energy
    is, with weights e^2 / sum e^2; the last feature is how much one channel has of it.

    Args:
        num_channels: C.
    """

    def __init__(self, *, num_channels: int) -> None:
        self.num_features = 2 * num_channels + 2 * NUM_DESCRIPTORS + 1
        rate_S = [2.0 / (span + 1.0) for span in SPANS]
        self._scan = EmaScan(np.repeat(rate_S, num_channels), np.float32)
        row = ((num_channels,), np.float32, 0.0)
        averages = ((len(SPANS) * num_channels,), np.float32, 0.0)
        self.columns = KeyColumns(residual=row, z=row, averages=averages)

    def read(
        self, runs: Runs, age_K: IntArray, residual_BC: Float32Array, z_BC: Float32Array
    ) -> tuple[Float32Array, FaultAdvance]:
        """Features of events, each key's in order; changes nothing.

        Args:
            runs: How the rows fall to keys.
            age_K: Events of the keys before the batch.
            residual_BC: How far each channel is from what all else says, in deviations, signed,
                bounded.
            z_BC: The rows, standardised, 0 where never seen.
        """
        held = self.columns.rows(runs.slots)
        before_BC, last_KC = _before(runs, residual_BC, held["residual"])
        past_BC, last_z_KC = _before(runs, z_BC, held["z"])
        values_BX = _averaged(residual_BC, before_BC, np.abs(z_BC - past_BC))
        held_KX: Float32Array = held["averages"]
        average_BX, sum_KX = self._scan.run(runs, held_KX, age_K % BLOCK, values_BX)
        averages = _Averages(*np.split(average_BX, len(SPANS), axis=1))
        after = {"residual": last_KC, "z": last_z_KC, "averages": sum_KX}
        return _features(averages, z_BC), FaultAdvance(runs.slots, after)

    def write(self, advance: FaultAdvance) -> None:
        """Move on to what `read` returned."""
        self.columns.put(advance.slots, dict(advance.columns))

    def state_dict(self) -> dict[str, Any]:
        """Averages and last rows of every key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


def _before(
    runs: Runs, x_BC: Float32Array, held_KC: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """The row of the same key before each one, and each key's last row."""
    sorted_SC = x_BC[runs.order]
    before_SC = np.empty_like(sorted_SC)
    before_SC[1:] = sorted_SC[:-1]
    before_SC[runs.starts] = held_KC
    before_BC = np.empty_like(x_BC)
    before_BC[runs.order] = before_SC
    return before_BC, sorted_SC[runs.starts + runs.counts - 1]


def _averaged(u_BC: Float32Array, before_BC: Float32Array, change_BC: Float32Array) -> Float32Array:
    """`[B, 10 C]` what moving averages are taken of, in the order of `_Averages`."""
    found_BSC = np.empty((len(u_BC), len(SPANS), u_BC.shape[1]), np.float32)
    u, size, slow, jump, echo, change, still, strong, short, energy = found_BSC.swapaxes(0, 1)
    u[:] = slow[:] = u_BC
    np.abs(u_BC, out=size)
    np.abs(np.subtract(u_BC, before_BC, out=jump), out=jump)
    np.clip(np.multiply(u_BC, before_BC, out=echo), -FARTHEST_PRODUCT, FARTHEST_PRODUCT, out=echo)
    change[:] = change_BC
    np.less(change_BC, STILL, out=still)
    np.greater(size, STRONG, out=strong)
    np.minimum(np.square(u_BC, out=energy), LARGEST_ENERGY, out=energy)
    np.minimum(energy, STRONG_ENERGY, out=short)
    return found_BSC.reshape(len(u_BC), len(SPANS) * u_BC.shape[1])


def _features(averages: _Averages, z_BC: Float32Array) -> Float32Array:
    descriptors = (
        averages.size,
        np.abs(averages.residual),
        np.abs(averages.slow_residual),
        averages.jump,
        averages.echo,
        averages.change,
        averages.still,
        averages.strong,
        np.abs(z_BC),
        averages.short_energy / np.float32(NUM_DESCRIPTORS),
    )
    energy_BC = averages.energy + np.float32(LEAST_ENERGY)
    share_BC = np.square(energy_BC)
    share_BC /= share_BC.sum(1, keepdims=True)
    size = np.float32(max(z_BC.shape[1], 1))
    where_PB = [np.einsum("bc,bc->b", part, share_BC) for part in descriptors]
    all_PB = [np.einsum("bc->b", part) / size for part in descriptors]
    alone_B = np.einsum("bc,bc->b", share_BC, share_BC)
    told_BX = np.stack([*where_PB, *all_PB, alone_B], axis=1)
    return np.concatenate([averages.residual, averages.size, told_BX], axis=1)
