"""What the closed-form slices of a sensor's embedding look at, and what they learn from.

`state` says what comes next, of means over blocks of the window; `character` what a machine and its
regime are like, of pooled units; `fault` in which way rows are unusual, of the core's residuals.

B = events, L = rows of all keys with their past, N = kept events, C = channels, M = mixed channels,
S = blocks, F = features, D = dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from streamssl.arithmetic.projection import random_projection
from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import BoolArray, Float32Array, IntArray
from streamssl.data.inputs import Inputs
from streamssl.data.keys import KeyColumns, Runs
from streamssl.modalities.base import Stem, StemReading
from streamssl.modalities.sensor.context import History, bounded
from streamssl.modalities.sensor.encoder import block_means, block_sizes
from streamssl.modalities.sensor.fault_features import FaultAdvance, FaultFeatures
from streamssl.modalities.sensor.features import SensorMeasured
from streamssl.modalities.sensor.past_rows import PastRows, RowsOfBatch
from streamssl.modalities.sensor.pooled import (
    MARK_EVERY,
    PooledAdvance,
    PooledAverages,
    PooledUnits,
)
from streamssl.modalities.sensor.unusual import UnusualAdvance, UnusualRows
from streamssl.objectives.closed_form import (
    ClosedForm,
    FaultDirections,
    LinearMap,
    PredictiveState,
    SlowFeatures,
)

# docs/research-log.md, "Constants of the arithmetic"
SIZES = {"state": 20, "character": 12, "fault": 32}
MOST_CHANNELS = 40  # of a wider stream so many random mixtures
HORIZONS = (0, 1, 2, 4, 8, 16, 32, 64)  # rows ahead between which means of the future are
FIRST_EVENT = 64  # of a key that is learned from
LEAST_APART = 4  # events between two looks at what is slow
MIX_SEED = 17


class SensorAdvance(NamedTuple):
    """What the keys remember for the slices after a batch (not yet written)."""

    rows: RowsOfBatch
    pooled: PooledAdvance
    fault: FaultAdvance
    unusual: UnusualAdvance


class SensorStem(Stem):
    """Features of events for three closed-form slices, and the slices themselves.

    Args:
        num_channels: C.
        window: Rows of a window.
        seed: Seed of kernels and mixtures.
    """

    def __init__(self, *, num_channels: int, window: int, seed: int = 0) -> None:
        self._sizes, self._window = block_sizes(window, num_channels), window
        self._mix_CM: Float32Array | None = None
        if num_channels > MOST_CHANNELS:
            self._mix_CM = random_projection(num_channels, MOST_CHANNELS, seed + MIX_SEED)
        mixed = min(num_channels, MOST_CHANNELS)
        units = PooledUnits(num_channels=mixed, seed=seed)
        self.past = PastRows(num_channels=num_channels, steps=window + HORIZONS[-1])
        self.pooled = PooledAverages(units)
        self.fault = FaultFeatures(num_channels=num_channels)
        self.unusual = UnusualRows()
        self._num_named = 2 * num_channels
        num_fault = self.fault.num_features - 2 * (num_channels - mixed)
        self._state = PredictiveState(
            num_past=len(self._sizes) * mixed,
            num_future=(len(HORIZONS) - 1) * mixed,
            num_dimensions=SIZES["state"],
        )
        self._character = SlowFeatures(
            num_features=units.num_units, num_dimensions=SIZES["character"]
        )
        self._faults = FaultDirections(num_features=num_fault, num_dimensions=SIZES["fault"])
        forms: tuple[ClosedForm, ...] = (self._state, self._character, self._faults)
        self.slices = dict(zip(SIZES, forms, strict=True))

    def block_map(self) -> LinearMap | None:
        """The state's map from the flat blocks `[S * C]` of a window; None before it is solved."""
        found = self._state.map
        if found is None or self._mix_CM is None:
            return found
        mixed = found.weight_FD.reshape(len(self._sizes), MOST_CHANNELS, -1)
        weight_SCD = np.einsum("cm,smd->scd", self._mix_CM, mixed)
        return LinearMap(weight_SCD.reshape(-1, weight_SCD.shape[2]), found.bias_D)

    def read(self, measured: SensorMeasured, rows: History) -> StemReading:
        """Features of events, each key's in order; changes nothing."""
        runs = Runs(measured.slot_B)
        age_K = measured.age_B[runs.order[runs.starts]]
        z_LC, place_B = rows.standardised, rows.place_B
        pooled_BH, pooled = self.pooled.read(runs, age_K, self._mixed(z_LC), place_B)
        residual_BC = measured.residual_BC
        fault_BF, fault = self.fault.read(runs, age_K, residual_BC, z_LC[place_B])
        unusual_B, unusual = self.unusual.read(runs, age_K, residual_BC)
        fault_BF = self._mixed_fault(fault_BF)
        batch = RowsOfBatch(runs, measured.slot_B, measured.age_B, measured.newest_BC)

        def sample(chosen: IntArray) -> Inputs:
            past, future, now = self._around(batch, measured, chosen)
            return {
                "age": measured.age_B[chosen],
                "past": past,
                "future": future,
                "blocks": now,
                "pooled": pooled_BH[chosen],
                "pooled_before": self.pooled.marked(runs, measured.age_B, pooled_BH, chosen),
                "fault": fault_BF[chosen],
                "unusual": unusual_B[chosen],
            }

        features = {"character": pooled_BH, "fault": fault_BF}
        return StemReading(features, sample, SensorAdvance(batch, pooled, fault, unusual))

    def _mixed(self, x_BC: Float32Array) -> Float32Array:
        return x_BC if self._mix_CM is None else tiled_matmul(x_BC, self._mix_CM)

    def _mixed_fault(self, fault_BF: Float32Array) -> Float32Array:
        """Of a wide stream, mixtures of what is told of each channel by name."""
        if self._mix_CM is None:
            return fault_BF
        named, rest = fault_BF[:, : self._num_named], fault_BF[:, self._num_named :]
        halves = [self._mixed(np.ascontiguousarray(half)) for half in np.split(named, 2, axis=1)]
        return np.concatenate([*halves, rest], axis=1)

    def _around(
        self, batch: RowsOfBatch, measured: SensorMeasured, chosen: IntArray
    ) -> tuple[Float32Array, Float32Array, Float32Array]:
        """Blocks of windows 64 rows before some events, means of rows since, and blocks now."""
        center_N1C = measured.center_BC[chosen, None].astype(np.float32)
        factor_N1C = (1.0 / measured.scale_BC[chosen, None]).astype(np.float32)
        z_NTC = bounded(self.past.upto(batch, chosen), center_N1C, factor_N1C)
        if self._mix_CM is not None:
            z_NTC = (z_NTC.reshape(-1, z_NTC.shape[2]) @ self._mix_CM).reshape(*z_NTC.shape[:2], -1)
        future = z_NTC[:, self._window :]
        means = [future[:, a:b].mean(1) for a, b in pairwise(HORIZONS)]
        past, now = z_NTC[:, : self._window], z_NTC[:, -self._window :]
        return self._blocks(past), np.concatenate(means, axis=1), self._blocks(now)

    def _blocks(self, z_NTC: Float32Array) -> Float32Array:
        """`[N, S * M]` means over the blocks of windows."""
        means = block_means(torch.from_numpy(np.ascontiguousarray(z_NTC)), self._sizes)
        flat_NF: Float32Array = means.flatten(1).numpy()
        return flat_NF

    def absorb(self, sample: Inputs, admitted_N: BoolArray) -> None:
        """Take in kept events: what the gate let through, and of faults what it did not.

        Args:
            sample: As `StemReading.sample` gave it.
            admitted_N: Whether the gate let them through.
        """
        age_N = sample["age"]
        known_N = admitted_N & (age_N >= self.past.steps + FIRST_EVENT)
        self._state.absorb(sample["past"][known_N], sample["future"][known_N])
        slow_N = admitted_N & (age_N >= FIRST_EVENT) & (age_N % MARK_EVERY >= LEAST_APART)
        self._character.absorb(sample["pooled"][slow_N], sample["pooled_before"][slow_N])
        old_N = age_N >= FIRST_EVENT
        ordinary, unusual = (
            sample["fault"][old_N & some] for some in (admitted_N, sample["unusual"])
        )
        self._faults.absorb(ordinary, unusual)

    def features(self, sample: Inputs) -> dict[str, Float32Array]:
        """What the slices look at in kept events."""
        return dict(zip(SIZES, (sample[name] for name in _LOOKED_AT), strict=True))

    def write(self, advance: SensorAdvance) -> None:
        """Move on to what `read` returned."""
        self.past.write(advance.rows)
        for part, after in zip(self._parts(), advance[1:], strict=True):
            part.write(after)

    def learn(self, measured: SensorMeasured) -> None:
        """Learn which rows of an epoch are unusual."""
        self.unusual.learn(measured.residual_BC)

    def per_key(self) -> list[KeyColumns]:
        """Rows, averages of the units and of the residuals."""
        return [self.past.columns, *(part.columns for part in self._parts())]

    def _parts(self) -> tuple[Any, ...]:
        return self.pooled, self.fault, self.unusual

    def state_dict(self) -> dict[str, Any]:
        """What the keys remember; sums and maps of the slices."""
        parts = {name: getattr(self, name).state_dict() for name in _PARTS}
        slices = {name: form.state_dict() for name, form in self.slices.items()}
        return {"past": self.past.columns.state_dict(), **parts, "slices": slices}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, of the same channels and window."""
        self.past.columns.load_state_dict(state["past"])
        for name in _PARTS:
            getattr(self, name).load_state_dict(state[name])
        for name, form in self.slices.items():
            form.load_state_dict(state["slices"][name])


_LOOKED_AT = ("blocks", "pooled", "fault")
_PARTS = ("pooled", "fault", "unusual")
