"""Robust levels and scales of every key's channels: evidence that no outlier spoils.

A row is compared with the nearest of a few levels (operating modes) that its key has had for long
enough, in units of each channel's scale about them. The unit and the offset of a channel change
nothing.

B = events, K = keys, M = modes, C = channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from streamssl.arithmetic.acceptance import Acceptance
from streamssl.arithmetic.missing import missing_to_zero
from streamssl.arithmetic.moments import MEMORY_ROWS, learning_rate
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs, of_rows
from streamssl.modalities.sensor.candidates import CAP, FAR, Candidates
from streamssl.modalities.sensor.origins import Origins
from streamssl.modalities.sensor.robust import KNOWN_ROWS, first_level

# docs/research-log.md, "Constants of the arithmetic"
NUM_MODES = 8
USUAL = 4.0  # deviations up to which a row moves a scale as it is
FARTHEST = 20.0
SMALLEST_SHARE = 1e-12  # of a level: its float64 says no more
LARGEST_INVERSE = 1e38  # that float32 holds
LIVELY_SHARE = 1.0 / 16.0
LIVELY_SCALE = 0.5
WAKING_ROWS = 3  # of an epoch in which a flat channel moved, from which it has a scale
YOUNG_ROWS = 1_024  # of a key, up to which every row is learnt
STRIDE = 4  # then one in so many


class ChannelLevels:
    """Modes and scales of channels, per key; all about the keys' origins.

    Args:
        num_channels: C.
        acceptance: Rows after which another level is one of a key's, by those at its modes.
        origins: Of the keys.
    """

    def __init__(self, *, num_channels: int, acceptance: Acceptance, origins: Origins) -> None:
        row, self.acceptance, self._origins = (num_channels,), acceptance, origins
        self.columns = KeyColumns(
            count=(row, np.float64, 0.0),
            center=((NUM_MODES, num_channels), np.float64, 0.0),
            scale=(row, np.float64, 0.0),
            weight=((NUM_MODES,), np.float64, 0.0),
            candidate=(row, np.float64, np.nan),
            candidate_rows=((), np.float64, 0.0),
        )
        self._candidates = Candidates(self.columns, acceptance)

    def read(self, runs: Runs, values_BC: FloatArray) -> tuple[FloatArray, IntArray]:
        """`[B]` largest distance max_c |x - m| / s from the nearest mode, and its channel.

        Args:
            runs: How the rows fall to keys.
            values_BC: As they came, NaN = missing.
        """
        far_BC = np.abs(self._nearest(runs.slots, runs.group, values_BC)[0])
        channel_B = far_BC.argmax(1)
        return far_BC[np.arange(len(far_BC)), channel_B].astype(np.float64), channel_B

    def distances(self, slot_B: IntArray, values_BC: FloatArray) -> FloatArray:
        """The same distances as the levels are by now."""
        return self.read(Runs(slot_B), values_BC)[0]

    def _nearest(
        self, slots: IntArray, group_B: IntArray, values_BC: FloatArray
    ) -> tuple[Float32Array, IntArray]:
        """`[B, C]` (x - m) / s of the nearest mode, 0 where unknown; and which mode."""
        columns = self.columns
        center_KMC, weight_KM = columns["center"][slots], columns["weight"][slots]
        known_KC = columns["count"][slots] >= KNOWN_ROWS
        inverse_KC = np.where(known_KC, _inverse(self.scales(slots)), np.float32(0.0))
        used = max(int((weight_KM > 0).sum(1).max(initial=0)), 1)
        best_BC = _about(values_BC, center_KMC[:, 0], inverse_KC, group_B)
        mode_B = np.zeros(len(values_BC), np.int64)
        if used == 1:
            return best_BC, mode_B
        best_B = np.minimum(np.abs(best_BC), CAP).sum(1)
        for mode in range(1, used):
            z_BC = _about(values_BC, center_KMC[:, mode], inverse_KC, group_B)
            distance_B = np.minimum(np.abs(z_BC), CAP).sum(1)
            nearer = np.flatnonzero((weight_KM[:, mode] > 0)[group_B] & (distance_B < best_B))
            best_BC[nearer], best_B[nearer], mode_B[nearer] = z_BC[nearer], distance_B[nearer], mode
        return best_BC, mode_B

    def scales(self, slots: IntArray) -> FloatArray:
        """`[K, C]` scale of each channel, at least what float64 can tell at its level."""
        level_KC = np.abs(self.columns["center"][slots] + self._origins.of(slots)[:, None]).max(1)
        return np.maximum(self.columns["scale"][slots], SMALLEST_SHARE * level_KC + 1e-300)

    def learn(
        self,
        slot_B: IntArray,
        age_B: IntArray,
        values_BC: FloatArray,
        window: Callable[[IntArray], Float32Array],
    ) -> IntArray:
        """Learn rows, of older keys one in four; each moves a level and a scale a bounded way.

        Args:
            slot_B: Slots of the rows' keys, each key's rows in order.
            age_B: Events of the key before each row.
            values_BC: As they came.
            window: Gives the last rows `[T, C]` of the keys in given slots, for a first look.

        Returns:
            Slots of the keys that have another mode from now on.
        """
        young_B = age_B < YOUNG_ROWS
        rows = np.flatnonzero(young_B | (age_B % STRIDE == 0))
        if not len(rows):
            return np.zeros(0, np.int64)
        runs, values_BC = Runs(slot_B[rows]), values_BC[rows]
        worth_B = np.where(young_B[rows], 1.0, STRIDE)
        self._begin(runs, values_BC, worth_B, window)
        z_BC, mode_B = self._nearest(runs.slots, runs.group, values_BC)
        far_B = np.abs(z_BC).max(1, initial=0.0) > FAR
        level_B, wild_B, accepted = self._candidates.follow(
            runs, values_BC, far_B, worth_B, self.scales
        )
        self._learn_modes(runs, mode_B, z_BC, worth_B * ~far_B)
        self._learn_scales(runs, z_BC, worth_B * ~level_B, wild_B)
        self._wake(runs, values_BC, mode_B, (np.abs(z_BC) >= FARTHEST) & ~level_B[:, None], worth_B)
        return accepted

    def _begin(self, runs: Runs, values_BC: FloatArray, worth_B: FloatArray, window: Any) -> None:
        """Count values; a channel that has enough begins with its median and its robust scale."""
        columns, slots = self.columns, runs.slots
        before_KC = columns["count"][slots]
        worth_SC = runs.sorted(~np.isnan(values_BC) * worth_B[:, None])
        after_KC = before_KC + np.add.reduceat(worth_SC, runs.starts, axis=0)
        columns["count"][slots] = after_KC
        fresh_KC = (before_KC < KNOWN_ROWS) & (after_KC >= KNOWN_ROWS)
        keys = np.flatnonzero(fresh_KC.any(1))
        if not len(keys):
            return
        slot_F, fresh_FC = slots[keys], fresh_KC[keys]
        center_FC, scale_FC = first_level(window(slot_F).astype(np.float64))
        columns["scale"][slot_F] = np.where(fresh_FC, scale_FC, columns["scale"][slot_F])
        center_FMC = columns["center"][slot_F]
        columns["center"][slot_F] = np.where(fresh_FC[:, None], center_FC[:, None], center_FMC)
        first_F = np.maximum(columns["weight"][slot_F, 0], KNOWN_ROWS)
        columns["weight"][slot_F, 0] = first_F

    def _learn_modes(
        self, runs: Runs, mode_B: IntArray, z_BC: Float32Array, worth_B: FloatArray
    ) -> None:
        """Move each mode by its rows' bounded distances."""
        columns, slots = self.columns, runs.slots
        scale_KC, weight_KM = self.scales(slots), columns["weight"][slots]
        num_K = np.add.reduceat(runs.sorted(worth_B), runs.starts)
        weight_KM *= ((1.0 - 1.0 / MEMORY_ROWS) ** num_K)[:, None]
        bounded_BC = np.clip(z_BC, -USUAL, USUAL)
        for mode in np.unique(mode_B).tolist():
            worth_S = runs.sorted(np.where(mode_B == mode, worth_B, 0.0))
            new_K = np.add.reduceat(worth_S, runs.starts)
            moved_SC = runs.sorted(bounded_BC) * worth_S[:, None]
            sum_KC = np.add.reduceat(moved_SC, runs.starts, axis=0)
            weight_KM[:, mode] += new_K
            rate_K = learning_rate(weight_KM[:, mode], new_K)
            move_KC = sum_KC / np.maximum(new_K, 1.0)[:, None] * scale_KC * rate_K[:, None]
            columns["center"][slots, mode] += move_KC
        columns["weight"][slots] = weight_KM

    def _learn_scales(
        self, runs: Runs, z_BC: Float32Array, worth_B: FloatArray, wild_B: BoolArray
    ) -> None:
        """s^2 <- (1 - r) s^2 + r mean(z^2) s^2 over bounded rows; wild ones are bounded further."""
        columns, slots = self.columns, runs.slots
        bound_B1 = np.where(wild_B, CAP, USUAL)[:, None]
        square_BC = np.minimum(np.abs(z_BC), bound_B1) ** 2
        worth_SC = runs.sorted((z_BC != 0.0) * worth_B[:, None])
        new_KC = np.add.reduceat(worth_SC, runs.starts, axis=0)
        mean_KC = np.add.reduceat(runs.sorted(square_BC) * worth_SC, runs.starts, axis=0)
        mean_KC /= np.maximum(new_KC, 1.0)
        rate_KC = learning_rate(np.maximum(columns["count"][slots], 1.0), new_KC)
        rate_KC = np.minimum(rate_KC, 1.0)
        after_KC = self.scales(slots) * np.sqrt(1.0 + rate_KC * (mean_KC - 1.0))
        columns["scale"][slots] = np.where(columns["scale"][slots] > 0.0, after_KC, 0.0)

    def _wake(
        self,
        runs: Runs,
        values_BC: FloatArray,
        mode_B: IntArray,
        moved_BC: BoolArray,
        worth_B: FloatArray,
    ) -> None:
        """Channels that were flat and move again and again have a scale: d (rows moved / rows)^1/2.

        d is the median of how far they moved; at least d / 2 where they do in a sixteenth of the
        rows.
        """
        columns, slots = self.columns, runs.slots
        flat_KC = (columns["scale"][slots] == 0.0) & (columns["count"][slots] >= KNOWN_ROWS)
        if not flat_KC.any():
            return
        num_KC = np.add.reduceat(runs.sorted(moved_BC), runs.starts, axis=0, dtype=np.int64)
        for key, channel in np.argwhere(flat_KC & (num_KC >= WAKING_ROWS)).tolist():
            rows = np.flatnonzero((runs.group == key) & moved_BC[:, channel])
            center_R = columns["center"][slots[key], mode_B[rows], channel]
            moved = float(np.median(np.abs(values_BC[rows, channel] - center_R)))
            share = min(worth_B[rows].sum() / columns["count"][slots[key], channel], 1.0)
            least = LIVELY_SCALE if len(rows) >= LIVELY_SHARE * runs.counts[key] else 0.0
            columns["scale"][slots[key], channel] = moved * max(least, np.sqrt(share))

    def state_dict(self) -> dict[str, Any]:
        """Modes and scales of every key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


def _inverse(scale_KC: FloatArray) -> Float32Array:
    """1 / s, bounded; 0 gives a number so large that every distance is the farthest."""
    inverse_KC = 1.0 / np.maximum(scale_KC, 1.0 / LARGEST_INVERSE)
    return inverse_KC.astype(np.float32)


def _about(
    values_BC: FloatArray, center_KC: FloatArray, inverse_KC: Float32Array, group_B: IntArray
) -> Float32Array:
    """`[B, C]` (x - m) / s, bounded; 0 where missing or unknown."""
    z_BC = np.empty(values_BC.shape, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        np.subtract(values_BC, of_rows(center_KC, group_B), out=z_BC, casting="same_kind")
        z_BC *= of_rows(inverse_KC, group_B)
    np.clip(z_BC, -FARTHEST, FARTHEST, out=z_BC)
    missing_to_zero(z_BC)
    return z_BC
