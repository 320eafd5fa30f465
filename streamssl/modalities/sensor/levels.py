"""Robust levels, scales and liveliness of every key's channels: evidence that no outlier spoils.

A row is compared with the nearest of a few levels (operating modes) that its key has had for long
enough, in units of each channel's scale about them; and each channel's recent changes with their
usual size. The unit and the offset of a channel change nothing.

B = events, K = keys, M = modes, C = channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamssl.arithmetic.acceptance import lasting
from streamssl.arithmetic.moments import MEMORY_ROWS, learning_rate
from streamssl.arithmetic.scan import BLOCK, EmaScan
from streamssl.data.columns import Columns
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.modalities.sensor.origins import Origins

# docs/research-log.md, "Constants of the arithmetic"
NUM_MODES = 4
KNOWN_ROWS = 32  # values of a channel before it is judged
USUAL = 4.0  # deviations up to which a row moves a scale as it is
FAR = 6.0  # deviations from every mode at which a row may belong to another
CAP = 20.0  # most that one channel says about which mode is the nearest
FARTHEST = 20.0
SMALLEST_SHARE = 1e-12  # of a level: its float64 says no more
STEP_CAP = 8.0
LIVELY_SPAN = 32.0
QUIET_FLOOR = 0.01
QUIET_ROWS = 96
LEAST_SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class Signals(Columns):
    """How far a batch's rows are from what their keys' channels usually do.

    Attributes:
        size_B2: Largest distance from the nearest mode, max_c |x - m| / s, and largest quietness:
            how much calmer than usual a channel has been, in deviations, 0 if livelier.
        channel_B2: The channels that have them.
        change_BC: |x - x_before|, 0 where a value is missing.
        lively_BC: EMA32 min(change / step, 8).
    """

    size_B2: FloatArray
    channel_B2: IntArray
    change_BC: Float32Array
    lively_BC: Float32Array


@dataclass(frozen=True, slots=True)
class LevelsAdvance:
    """What the keys remember from row to row after a batch (not yet written)."""

    slots: IntArray
    last_KC: FloatArray
    lively_KC: FloatArray


class ChannelLevels:
    """Modes, scales and liveliness of channels, per key; all about the keys' origins.

    Args:
        num_channels: C.
        origins: Of the keys.
    """

    def __init__(self, *, num_channels: int, origins: Origins) -> None:
        row = (num_channels,)
        self.restarted: list[int] = []
        self._origins = origins
        self._lively = EmaScan(np.full(num_channels, 2.0 / (LIVELY_SPAN + 1.0)))
        self.columns = KeyColumns(
            count=(row, np.float64, 0.0),
            center=((NUM_MODES, num_channels), np.float64, 0.0),
            scale=(row, np.float64, 0.0),
            weight=((NUM_MODES,), np.float64, 0.0),
            candidate=(row, np.float64, np.nan),
            candidate_rows=((), np.float64, 0.0),
            step=(row, np.float64, 0.0),
            calm_count=(row, np.float64, 0.0),
            calm_mean=(row, np.float64, 0.0),
            calm_var=(row, np.float64, 0.0),
            last=(row, np.float64, np.nan),
            lively=(row, np.float64, 0.0),
        )

    def read(
        self, runs: Runs, age_K: IntArray, values_BC: FloatArray
    ) -> tuple[Signals, LevelsAdvance]:
        """What stands out in a batch's rows; changes nothing.

        Args:
            runs: How the rows fall to keys.
            age_K: Events of the keys before the batch.
            values_BC: As they came, about their origins, NaN = missing.
        """
        columns, slots = self.columns, runs.slots
        change_BC, last_KC = self._changes(runs, values_BC)
        with np.errstate(over="ignore"):
            ratio_BC = change_BC * _inverse(columns["step"][slots])[runs.group]
        lively_BC, lively_KC = self._lively.run(
            runs, columns["lively"][slots], age_K % BLOCK, np.minimum(ratio_BC, STEP_CAP)
        )
        far_BC = np.abs(self._nearest(slots, runs.group, values_BC)[0])
        quiet_BC = self._quietness(slots, runs.group, lively_BC)
        rows = np.arange(len(values_BC))
        far_B, quiet_B = far_BC.argmax(1), quiet_BC.argmax(1)
        signals = Signals(
            size_B2=np.stack([far_BC[rows, far_B], quiet_BC[rows, quiet_B]], axis=1),
            channel_B2=np.stack([far_B, quiet_B], axis=1),
            change_BC=change_BC.astype(np.float32),
            lively_BC=lively_BC.astype(np.float32),
        )
        return signals, LevelsAdvance(slots, last_KC, lively_KC)

    def _quietness(self, slots: IntArray, group_B: IntArray, lively_BC: FloatArray) -> FloatArray:
        """`[B, C]` (mean - l) / s of l = ln(liveliness + .01), at least 0; 0 while unknown."""
        columns = self.columns
        known_KC = columns["calm_count"][slots] >= QUIET_ROWS
        spread_KC = np.maximum(np.sqrt(columns["calm_var"][slots]), LEAST_SPREAD)
        inverse_KC = np.where(known_KC, 1.0 / spread_KC, 0.0)
        quiet_BC = np.log(np.maximum(lively_BC, 0.0) + QUIET_FLOOR)
        np.subtract(columns["calm_mean"][slots][group_B], quiet_BC, out=quiet_BC)
        quiet_BC *= inverse_KC[group_B]
        return np.maximum(quiet_BC, 0.0, out=quiet_BC)

    def write(self, advance: LevelsAdvance) -> None:
        """Move on to what `read` returned."""
        self.columns["last"][advance.slots] = advance.last_KC
        self.columns["lively"][advance.slots] = advance.lively_KC

    def _changes(self, runs: Runs, values_BC: FloatArray) -> tuple[FloatArray, FloatArray]:
        """|x - x_before| of each row, and each key's last values; missing ones are carried on."""
        rows_SC = values_BC[runs.order]
        held_KC = self.columns["last"][runs.slots]
        if np.isnan(rows_SC.sum()):
            rows_SC = _carried(runs, rows_SC, held_KC)
        change_SC = np.empty_like(rows_SC)
        np.subtract(rows_SC[1:], rows_SC[:-1], out=change_SC[1:])
        change_SC[runs.starts] = rows_SC[runs.starts] - held_KC
        np.minimum(np.abs(change_SC), np.finfo(np.float32).max, out=change_SC)
        np.nan_to_num(change_SC, copy=False, nan=0.0)
        change_BC = np.empty_like(change_SC)
        change_BC[runs.order] = change_SC
        return change_BC, rows_SC[runs.starts + runs.counts - 1]

    def _nearest(
        self, slots: IntArray, group_B: IntArray, values_BC: FloatArray
    ) -> tuple[FloatArray, IntArray]:
        """`[B, C]` (x - m) / s of the nearest mode, 0 where unknown; and which mode."""
        columns = self.columns
        center_KMC, weight_KM = columns["center"][slots], columns["weight"][slots]
        known_KC = columns["count"][slots] >= KNOWN_ROWS
        inverse_BC = np.where(known_KC, _inverse(self._scales(slots)), 0.0)[group_B]
        used = max(int((weight_KM > 0).sum(1).max(initial=0)), 1)
        best_BC = self._about(values_BC, center_KMC[:, 0], group_B, inverse_BC)
        mode_B = np.zeros(len(values_BC), np.int64)
        if used == 1:
            return best_BC, mode_B
        best_B = np.minimum(np.abs(best_BC), CAP).sum(1)
        for mode in range(1, used):
            z_BC = self._about(values_BC, center_KMC[:, mode], group_B, inverse_BC)
            distance_B = np.minimum(np.abs(z_BC), CAP).sum(1)
            nearer = np.flatnonzero((weight_KM[:, mode] > 0)[group_B] & (distance_B < best_B))
            best_BC[nearer], best_B[nearer], mode_B[nearer] = z_BC[nearer], distance_B[nearer], mode
        return best_BC, mode_B

    def _about(
        self,
        values_BC: FloatArray,
        center_KC: FloatArray,
        group_B: IntArray,
        inverse_BC: FloatArray,
    ) -> FloatArray:
        """`[B, C]` (x - m) / s, bounded; 0 where missing or unknown."""
        z_BC = values_BC - center_KC[group_B]
        with np.errstate(over="ignore"):
            z_BC *= inverse_BC
        if np.isnan(z_BC.sum()):
            np.nan_to_num(z_BC, copy=False, nan=0.0)
        return np.clip(z_BC, -FARTHEST, FARTHEST, out=z_BC)

    def _scales(self, slots: IntArray) -> FloatArray:
        """`[K, C]` scale of each channel, at least what float64 can tell at its level."""
        level_KC = np.abs(self.columns["center"][slots] + self._origins.of(slots)[:, None]).max(1)
        return np.maximum(self.columns["scale"][slots], SMALLEST_SHARE * level_KC + 1e-300)

    def learn(
        self,
        slot_B: IntArray,
        values_BC: FloatArray,
        signals: Signals,
        window: Callable[[IntArray], Float32Array],
        accepted_after: FloatArray,
    ) -> None:
        """Learn rows; each moves a level and a scale a bounded way.

        Args:
            slot_B: Slots of the rows' keys, each key's rows in order.
            values_BC: As they came, about their origins.
            signals: What `read` gave of them.
            window: Gives the last rows `[T, C]` of the keys in given slots, for a first look.
            accepted_after: `[K]` rows after which another level is one of the key's modes.
        """
        self.restarted = []
        runs = Runs(slot_B)
        if not len(slot_B):
            return
        self._begin(runs, values_BC, window)
        z_BC, mode_B = self._nearest(runs.slots, runs.group, values_BC)
        near_B, other_B = self._candidates(runs, values_BC, z_BC, accepted_after)
        self._learn_modes(runs, mode_B, z_BC, ~near_B & ~other_B)
        self._learn_scales(runs, z_BC, ~near_B, other_B)
        self._learn_steps(runs, values_BC, signals)

    def _begin(self, runs: Runs, values_BC: FloatArray, window: Any) -> None:
        """Count values; a channel that has enough begins with its median and its robust scale."""
        columns, slots = self.columns, runs.slots
        before_KC = columns["count"][slots]
        valid_SC = (~np.isnan(values_BC))[runs.order].astype(np.float64)
        after_KC = before_KC + np.add.reduceat(valid_SC, runs.starts, axis=0)
        columns["count"][slots] = after_KC
        fresh_KC = (before_KC < KNOWN_ROWS) & (after_KC >= KNOWN_ROWS)
        keys = np.flatnonzero(fresh_KC.any(1))
        if not len(keys):
            return
        slot_F, fresh_FC = slots[keys], fresh_KC[keys]
        center_FC, scale_FC, step_FC = first_look(window(slot_F).astype(np.float64))
        for name, found_FC in (("scale", scale_FC), ("step", step_FC)):
            columns[name][slot_F] = np.where(fresh_FC, found_FC, columns[name][slot_F])
        center_FMC = columns["center"][slot_F]
        columns["center"][slot_F] = np.where(fresh_FC[:, None], center_FC[:, None], center_FMC)
        first_F = np.maximum(columns["weight"][slot_F, 0], KNOWN_ROWS)
        columns["weight"][slot_F, 0] = first_F

    def _candidates(
        self, runs: Runs, values_BC: FloatArray, z_BC: FloatArray, accepted_after: FloatArray
    ) -> tuple[BoolArray, BoolArray]:
        """Rows at a level that may become a mode, and far rows elsewhere."""
        columns = self.columns
        far_B = np.abs(z_BC).max(1, initial=0.0) > FAR
        near_B = np.zeros(len(far_B), bool)
        held = columns["candidate_rows"][runs.slots] > 0
        touched = held.copy()
        touched[runs.group[far_B]] = True
        for key in np.flatnonzero(touched).tolist():
            slot = int(runs.slots[key])
            begin = runs.starts[key]
            rows = runs.order[begin : begin + runs.counts[key]]
            near_B[rows] = self._follow(
                slot, values_BC[rows], far_B[rows], float(accepted_after[key])
            )
        return near_B, far_B & ~near_B

    def _follow(
        self, slot: int, values_RC: FloatArray, far_R: BoolArray, enough: float
    ) -> BoolArray:
        """Move a key's candidate on by its rows of an epoch; returns which of them are at it."""
        columns = self.columns
        count, near_R = float(columns["candidate_rows"][slot]), np.zeros(len(far_R), bool)
        if count <= 0.0:
            columns["candidate"][slot] = _quantile(values_RC[far_R][None], 0.5)[0]
        known_C = columns["count"][slot] >= KNOWN_ROWS
        scale_C = self._scales(np.array([slot]))[0]
        level_C = columns["candidate"][slot]
        with np.errstate(invalid="ignore", over="ignore"):
            z_RC = np.abs(np.nan_to_num((values_RC - level_C) / scale_C, nan=0.0))[:, known_C]
        if z_RC.shape[1]:
            near_R = far_R & (np.minimum(z_RC, CAP).mean(1) <= 2.0)
        num_near = int(near_R.sum())
        count = float(lasting(count, num_near, len(far_R) - num_near))
        if num_near:
            level_C = np.where(
                np.isnan(level_C), _quantile(values_RC[near_R][None], 0.5)[0], level_C
            )
            off_RC = values_RC[near_R] - level_C
            move_C = np.nan_to_num(off_RC).sum(0) / np.maximum((~np.isnan(off_RC)).sum(0), 1)
            columns["candidate"][slot] = level_C + move_C * num_near / max(count, num_near)
        if count >= enough:
            self._accept(slot, count)
            self.restarted.append(slot)
            count = 0.0
        columns["candidate_rows"][slot] = count
        return near_R

    def _accept(self, slot: int, count: float) -> None:
        """The candidate becomes a mode, in the place of the one that was used least."""
        columns = self.columns
        mode = int(columns["weight"][slot].argmin())
        level_C = columns["candidate"][slot]
        columns["center"][slot, mode] = np.where(
            np.isnan(level_C), columns["center"][slot, 0], level_C
        )
        columns["weight"][slot, mode] = count

    def _learn_modes(self, runs: Runs, mode_B: IntArray, z_BC: FloatArray, at_B: BoolArray) -> None:
        """Move each mode by its rows' bounded distances."""
        columns, slots = self.columns, runs.slots
        scale_KC, weight_KM = self._scales(slots), columns["weight"][slots]
        weight_KM *= ((1.0 - 1.0 / MEMORY_ROWS) ** runs.counts)[:, None]
        bounded_BC = np.clip(z_BC, -USUAL, USUAL)
        for mode in range(NUM_MODES):
            rows_S = (at_B & (mode_B == mode))[runs.order].astype(np.float64)
            new_K = np.add.reduceat(rows_S, runs.starts)
            if not new_K.any():
                continue
            sum_KC = np.add.reduceat(bounded_BC[runs.order] * rows_S[:, None], runs.starts, axis=0)
            weight_KM[:, mode] += new_K
            rate_K = learning_rate(weight_KM[:, mode], new_K)
            move_KC = sum_KC / np.maximum(new_K, 1.0)[:, None] * scale_KC * rate_K[:, None]
            columns["center"][slots, mode] += move_KC
        columns["weight"][slots] = weight_KM

    def _learn_scales(
        self, runs: Runs, z_BC: FloatArray, counts_B: BoolArray, wild_B: BoolArray
    ) -> None:
        """s^2 <- (1 - r) s^2 + r mean(z^2) s^2 over bounded rows; wild ones are bounded further."""
        columns, slots = self.columns, runs.slots
        bound_B1 = np.where(wild_B, CAP, USUAL)[:, None]
        square_BC = np.minimum(np.abs(z_BC), bound_B1) ** 2
        valid_SC = ((z_BC != 0.0) & counts_B[:, None])[runs.order].astype(np.float64)
        new_KC = np.add.reduceat(valid_SC, runs.starts, axis=0)
        mean_KC = np.add.reduceat(square_BC[runs.order] * valid_SC, runs.starts, axis=0)
        mean_KC /= np.maximum(new_KC, 1.0)
        rate_KC = learning_rate(np.maximum(columns["count"][slots], 1.0), new_KC)
        rate_KC = np.minimum(rate_KC, 1.0)
        columns["scale"][slots] = self._scales(slots) * np.sqrt(1.0 + rate_KC * (mean_KC - 1.0))

    def _learn_steps(self, runs: Runs, values_BC: FloatArray, signals: Signals) -> None:
        """Usual size of a change, and usual liveliness, by bounded values."""
        columns, slots = self.columns, runs.slots
        valid_BC = ~np.isnan(values_BC)
        step_KC = columns["step"][slots]
        bound_BC = np.where(step_KC > 0.0, STEP_CAP * step_KC, np.inf)[runs.group]
        moved_SC = np.where(valid_BC, np.minimum(signals.change_BC, bound_BC), 0.0)[runs.order]
        new_KC = np.add.reduceat(valid_BC[runs.order].astype(np.float64), runs.starts, axis=0)
        mean_KC = np.add.reduceat(moved_SC, runs.starts, axis=0) / np.maximum(new_KC, 1.0)
        count_KC = columns["count"][slots]
        known_KC = (count_KC >= KNOWN_ROWS) & (new_KC > 0)
        rate_KC = learning_rate(np.maximum(count_KC, 1.0), new_KC)
        columns["step"][slots] = np.where(
            known_KC, step_KC + np.minimum(rate_KC, 1.0) * (mean_KC - step_KC), step_KC
        )
        self._learn_calm(runs, np.log(np.maximum(signals.lively_BC, 0.0) + QUIET_FLOOR))

    def _learn_calm(self, runs: Runs, lively_BC: FloatArray) -> None:
        """Mean and variance of the liveliness, of values bounded to three deviations."""
        columns, slots = self.columns, runs.slots
        known_KC = columns["count"][slots] >= 2 * KNOWN_ROWS
        count_KC, mean_KC = columns["calm_count"][slots], columns["calm_mean"][slots]
        var_KC = columns["calm_var"][slots]
        spread_KC = 3.0 * np.maximum(np.sqrt(var_KC), LEAST_SPREAD)
        spread_KC = np.where(count_KC > 0, spread_KC, np.inf)
        off_BC = lively_BC - mean_KC[runs.group]
        off_BC = np.clip(off_BC, -spread_KC[runs.group], spread_KC[runs.group])
        new_K1 = runs.counts[:, None].astype(np.float64)
        shift_KC = np.add.reduceat(off_BC[runs.order], runs.starts, axis=0) / new_K1
        square_KC = np.add.reduceat(off_BC[runs.order] ** 2, runs.starts, axis=0) / new_K1
        rate_KC = np.minimum(learning_rate(count_KC + new_K1, new_K1), 1.0)
        after_KC = mean_KC + rate_KC * shift_KC
        columns["calm_count"][slots] = np.where(known_KC, count_KC + new_K1, count_KC)
        columns["calm_mean"][slots] = np.where(known_KC, after_KC, mean_KC)
        moved_KC = (1.0 - rate_KC) * var_KC + rate_KC * square_KC - (rate_KC * shift_KC) ** 2
        columns["calm_var"][slots] = np.where(known_KC, np.maximum(moved_KC, 0.0), var_KC)

    def rescored(self, slot_B: IntArray, values_BC: FloatArray) -> tuple[IntArray, FloatArray]:
        """Rows of keys that have another mode since `learn`, and their distances now."""
        rows = np.flatnonzero(np.isin(slot_B, self.restarted))
        slots, group_R = np.unique(slot_B[rows], return_inverse=True)
        z_RC, _ = self._nearest(slots, group_R, values_BC[rows])
        return rows, np.abs(z_RC).max(1, initial=0.0)

    def state_dict(self) -> dict[str, Any]:
        """Modes, scales and liveliness of every key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


def _inverse(x: FloatArray) -> FloatArray:
    """1 / x, bounded; 0 gives a number so large that every distance is the farthest."""
    return 1.0 / np.maximum(x, 1e-300)


def first_look(rows_FTC: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """`[F, C]` median, robust deviation and usual change of some keys' last rows.

    The deviation is max(1.4826 MAD, (q90 - q10) / 2.563), the change a mean bounded at eight times
    its median. NaN rows, from before a channel's first value, are left out.
    """
    median_FC = _quantile(rows_FTC, 0.5)
    away_FTC = np.abs(rows_FTC - median_FC[:, None])
    spread_FC = (_quantile(rows_FTC, 0.9) - _quantile(rows_FTC, 0.1)) / 2.563
    scale_FC = np.maximum(1.4826 * _quantile(away_FTC, 0.5), spread_FC)
    moves_FTC = np.abs(np.diff(rows_FTC, axis=1))
    middle_FC = _quantile(moves_FTC, 0.5)
    bound_FC = np.where(middle_FC > 0.0, STEP_CAP * middle_FC, np.inf)
    valid_FTC = ~np.isnan(moves_FTC)
    bounded_FTC = np.where(valid_FTC, np.minimum(moves_FTC, bound_FC[:, None]), 0.0)
    step_FC = bounded_FTC.sum(1) / np.maximum(valid_FTC.sum(1), 1)
    return np.nan_to_num(median_FC), np.nan_to_num(scale_FC), step_FC


def _quantile(rows_FTC: FloatArray, q: float) -> FloatArray:
    """`[F, C]` lower q-quantile of the rows that are not NaN."""
    ordered = np.sort(rows_FTC, axis=1)
    count_FC = (~np.isnan(rows_FTC)).sum(1)
    place_FC = np.floor(q * np.maximum(count_FC - 1, 0)).astype(np.int64)
    return np.take_along_axis(ordered, place_FC[:, None], axis=1)[:, 0]


def _carried(runs: Runs, rows_SC: FloatArray, held_KC: FloatArray) -> FloatArray:
    """Missing values of sorted rows become the key's last ones."""
    size = len(rows_SC)
    place_SC = np.where(np.isnan(rows_SC), -1, np.arange(size)[:, None])
    np.maximum.accumulate(place_SC, axis=0, out=place_SC)
    begin_S = np.repeat(runs.starts, runs.counts)
    own_SC = place_SC >= begin_S[:, None]
    filled_SC = np.take_along_axis(rows_SC, np.maximum(place_SC, 0), axis=0)
    return np.where(own_SC, filled_SC, np.repeat(held_KC, runs.counts, axis=0))
