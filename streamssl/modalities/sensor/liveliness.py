"""How lively each key's channels are: one that is far calmer than it ever was has fallen silent.

Liveliness is the mean change of a channel over a block of 32 rows, in units of its usual change. A
value that is missing is held, so that null is quiet too.

B = events, S = blocks of rows of a key, K = keys, C = channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamssl.arithmetic.missing import has_missing, missing_to_zero
from streamssl.arithmetic.moments import learning_rate
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs, of_rows
from streamssl.modalities.sensor.context import extend
from streamssl.modalities.sensor.robust import KNOWN_ROWS, STEP_CAP, first_step

# docs/research-log.md, "Constants of the arithmetic"
BLOCK = 32
QUIET_FLOOR = 0.01
CALM_ROWS = 64  # rows of a channel before its liveliness is learnt
QUIET_ROWS = 160  # and before it is judged
LEAST_SPREAD = 0.1
OUTLIER = 3.0  # deviations of the liveliness that a block counts for at most
PENDING = ("moved", "calm_sum", "calm_square")


@dataclass(frozen=True, slots=True)
class LivelyAdvance:
    """What the keys remember of their changes after a batch (not yet written)."""

    slots: IntArray
    columns: Mapping[str, Any]


class Liveliness:
    """Usual changes of channels, and how far below its usual liveliness each is, per key.

    Args:
        num_channels: C.
    """

    def __init__(self, *, num_channels: int) -> None:
        row = ((num_channels,), np.float64, 0.0)
        names = ("block", "count", "step", "calm_mean", "calm_var", *PENDING)
        self.columns = KeyColumns(
            last=((num_channels,), np.float64, np.nan),
            **dict.fromkeys(names, row),
            blocks=((), np.float64, 0.0),  # closed, and not learnt yet
            quiet=((), np.float64, 0.0),
            channel=((), np.int64, 0),
        )

    def read(
        self, runs: Runs, age_K: IntArray, values_BC: FloatArray
    ) -> tuple[FloatArray, IntArray, LivelyAdvance]:
        """`[B]` largest quietness of the last whole block, and its channel; changes nothing.

        Args:
            runs: How the rows fall to keys.
            age_K: Events of the keys before the batch.
            values_BC: As they came, NaN = missing.
        """
        after = self.columns.rows(runs.slots)
        blocks = Blocks(runs, age_K % BLOCK)
        change_SC, after["last"] = self._changes(runs, values_BC, after)
        sum_SC = blocks.sums(change_SC, after["block"])
        after["block"] = np.where(blocks.open_K[:, None], sum_SC[blocks.last_K], 0.0)
        full = np.flatnonzero(blocks.full_S)
        group_F = blocks.group_S[full]
        lively_FC = self._lively(after, group_F, sum_SC[full])
        quiet_FC = (after["calm_mean"][group_F] - lively_FC) * self._inverse_spread(after)[group_F]
        channel_F = quiet_FC.argmax(1)
        quiet_F = np.maximum(quiet_FC[np.arange(len(full)), channel_F], 0.0)
        quiet_B, after["quiet"] = blocks.latest(quiet_F, after["quiet"])
        channel_B, after["channel"] = blocks.latest(channel_F, after["channel"])
        self._collect(after, group_F, sum_SC[full], lively_FC)
        return quiet_B, channel_B, LivelyAdvance(runs.slots, after)

    def _changes(
        self, runs: Runs, values_BC: FloatArray, after: Mapping[str, Any]
    ) -> tuple[FloatArray, FloatArray]:
        """|x - x_before| of the sorted rows, bounded, and the keys' last values."""
        rows_SC, last_KC = runs.sorted(values_BC), after["last"]
        if has_missing(rows_SC):
            rows_LC, place_B = extend(runs, values_BC, last_KC[:, None])
            rows_SC = rows_LC[runs.sorted(place_B)]
        change_SC = np.empty_like(rows_SC)
        np.subtract(rows_SC[1:], rows_SC[:-1], out=change_SC[1:])
        change_SC[runs.starts] = rows_SC[runs.starts] - last_KC
        np.abs(change_SC, out=change_SC)
        bound_KC = np.where(after["step"] > 0.0, STEP_CAP * after["step"], np.finfo(np.float32).max)
        np.minimum(change_SC, of_rows(bound_KC, runs.sorted(runs.group)), out=change_SC)
        missing_to_zero(change_SC)
        return change_SC, rows_SC[runs.starts + runs.counts - 1]

    def _lively(
        self, after: Mapping[str, Any], group_F: IntArray, sum_FC: FloatArray
    ) -> FloatArray:
        """`[F, C]` ln(min(mean change / step, 8) + .01) of whole blocks."""
        with np.errstate(over="ignore"):
            inverse_KC = 1.0 / np.maximum(BLOCK * after["step"], 1e-300)
            ratio_FC = np.minimum(sum_FC * inverse_KC[group_F], STEP_CAP)
        return np.log(ratio_FC + QUIET_FLOOR)

    def _inverse_spread(self, after: Mapping[str, Any]) -> FloatArray:
        """`[K, C]` 1 / s of the liveliness; 0 while unknown."""
        spread_KC = np.maximum(np.sqrt(after["calm_var"]), LEAST_SPREAD)
        return np.where(after["count"] >= QUIET_ROWS, 1.0 / spread_KC, 0.0)

    def _collect(
        self, after: dict[str, Any], group_F: IntArray, sum_FC: FloatArray, lively_FC: FloatArray
    ) -> None:
        """Add whole blocks to what the epoch's end will learn, one after another."""
        bound_KC = OUTLIER * np.maximum(np.sqrt(after["calm_var"]), LEAST_SPREAD)
        bound_KC = np.where(after["count"] >= CALM_ROWS + BLOCK, bound_KC, np.inf)
        off_FC = lively_FC - after["calm_mean"][group_F]
        off_FC = np.clip(off_FC, -bound_KC[group_F], bound_KC[group_F])
        for name, value_FC in zip(PENDING, (sum_FC, off_FC, off_FC**2), strict=True):
            np.add.at(after[name], group_F, value_FC)
        np.add.at(after["blocks"], group_F, 1.0)

    def write(self, advance: LivelyAdvance) -> None:
        """Move on to what `read` returned."""
        self.columns.put(advance.slots, advance.columns)

    def learn(self, runs: Runs, window: Callable[[IntArray], Float32Array]) -> None:
        """Learn usual changes and liveliness of an epoch's blocks, each bounded.

        Args:
            runs: How the epoch's rows fall to keys.
            window: Gives the last rows `[T, C]` of the keys in given slots, for a first look.
        """
        columns, slots = self.columns, runs.slots
        before_KC, blocks_K1 = columns["count"][slots], columns["blocks"][slots][:, None]
        seen_KC = ~np.isnan(columns["last"][slots])
        columns["count"][slots] = before_KC + seen_KC * runs.counts[:, None]
        rows_K1 = BLOCK * np.maximum(blocks_K1, 1.0)
        known_KC = (before_KC >= KNOWN_ROWS) & (blocks_K1 > 0)
        rate_KC = np.minimum(learning_rate(np.maximum(before_KC, 1.0), rows_K1), 1.0)
        step_KC = columns["step"][slots]
        move_KC = rate_KC * (columns["moved"][slots] / rows_K1 - step_KC)
        columns["step"][slots] = np.where(known_KC, step_KC + move_KC, step_KC)
        self._learn_calm(slots, before_KC, np.maximum(blocks_K1, 1.0), known_KC)
        for name in (*PENDING, "blocks"):
            columns[name][slots] = 0.0
        fresh_KC = (before_KC < KNOWN_ROWS) & (columns["count"][slots] >= KNOWN_ROWS)
        keys = np.flatnonzero(fresh_KC.any(1))
        if len(keys):
            found_FC = first_step(window(slots[keys]).astype(np.float64))
            held_FC = columns["step"][slots[keys]]
            columns["step"][slots[keys]] = np.where(fresh_KC[keys], found_FC, held_FC)

    def _learn_calm(
        self, slots: IntArray, before_KC: FloatArray, blocks_K1: FloatArray, known_KC: BoolArray
    ) -> None:
        """Mean and variance of the liveliness."""
        columns = self.columns
        known_KC = known_KC & (before_KC >= CALM_ROWS)
        rows_KC = np.maximum(before_KC - CALM_ROWS, 0.0) + BLOCK * blocks_K1
        rate_KC = np.minimum(learning_rate(rows_KC, BLOCK * blocks_K1), 1.0)
        shift_KC = columns["calm_sum"][slots] / blocks_K1
        square_KC = columns["calm_square"][slots] / blocks_K1
        mean_KC, var_KC = columns["calm_mean"][slots], columns["calm_var"][slots]
        moved_KC = (1.0 - rate_KC) * var_KC + rate_KC * square_KC - (rate_KC * shift_KC) ** 2
        columns["calm_mean"][slots] = np.where(known_KC, mean_KC + rate_KC * shift_KC, mean_KC)
        columns["calm_var"][slots] = np.where(known_KC, np.maximum(moved_KC, 0.0), var_KC)

    def state_dict(self) -> dict[str, Any]:
        """Changes and liveliness of every key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


class Blocks:
    """Rows of a batch in blocks of 32 of each key, by its age.

    Args:
        runs: How the rows fall to keys.
        phase_K: Rows of each key's open block before the batch.

    Attributes:
        group_S: Key of each block.
        full_S: Whether the block is whole after the batch.
        last_K: Last block of each key.
        open_K: Whether that one is not whole.
    """

    def __init__(self, runs: Runs, phase_K: IntArray) -> None:
        self._runs, last_K = runs, (phase_K + runs.counts - 1) // BLOCK
        self.last_K = np.cumsum(last_K + 1) - 1
        self.group_S = np.repeat(np.arange(len(phase_K)), last_K + 1)
        group_R = runs.sorted(runs.group)
        place_R = phase_K[group_R] + runs.sorted(runs.rank)
        self._place_R, first_K = place_R % BLOCK, self.last_K - last_K
        self._block_R = first_K[group_R] + place_R // BLOCK
        self.full_S = np.ones(len(self.group_S), bool)
        self.open_K = (phase_K + runs.counts) % BLOCK != 0
        self.full_S[self.last_K[self.open_K]] = False
        self._first_K = first_K

    def sums(self, value_RC: FloatArray, held_KC: FloatArray) -> FloatArray:
        """`[S, C]` sums of sorted rows, one after another from what the open blocks hold on."""
        sum_SC = np.zeros((len(self.group_S), value_RC.shape[1]))
        sum_SC[self._first_K] = held_KC
        if len(self.last_K) == 1 and len(value_RC):
            self._add_one(sum_SC, value_RC)
            return sum_SC
        order = np.argsort(self._place_R, kind="stable")
        for turn in np.split(order, np.flatnonzero(np.diff(self._place_R[order])) + 1):
            sum_SC[self._block_R[turn]] += value_RC[turn]
        return sum_SC

    def _add_one(self, sum_SC: FloatArray, value_RC: FloatArray) -> None:
        """The rows of a single key, in place: the first of all blocks, then the second ones."""
        for turn in range(BLOCK):
            block, begin = divmod(turn - int(self._place_R[0]), BLOCK)
            rows_SC = value_RC[begin::BLOCK]
            sum_SC[-block : len(rows_SC) - block] += rows_SC

    def latest(self, value_F: Any, held_K: Any) -> tuple[Any, Any]:
        """`[B]` value of the last whole block up to each row, and `[K]` after the batch."""
        value_S, before_S = np.empty((2, len(self.group_S)), held_K.dtype)
        value_S[self.full_S] = value_F
        before_S[1:] = value_S[:-1]
        before_S[self._first_K] = held_K
        found_B = np.empty(len(self._block_R), held_K.dtype)
        closes_R = self._place_R == BLOCK - 1
        found_B[self._runs.order] = np.where(
            closes_R, value_S[self._block_R], before_S[self._block_R]
        )
        return found_B, np.where(self.open_K, before_S[self.last_K], value_S[self.last_K])
