"""A cleaned past: a reading far off is remembered as its expected value, so that it has no echo.

An event is judged with its own values as they came and with a cleaned context. What is far off by
the lagged Gaussian, in view of everything else, pays a token of its channel (eight, one back every
32 events of the key) and enters the context as its expected value; without a token it enters as it
came, so that a shift is taken in.

B = events, K = keys, N = recent rows, C = channels, L = rows of all keys with their past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.modalities.sensor.context import Advance, Memory, SensorContext, last_rows
from streamssl.modalities.sensor.features import FAR_OFF, Features
from streamssl.modalities.sensor.gaussians import SensorGaussians
from streamssl.modalities.sensor.normaliser import Normaliser
from streamssl.scorers.gaussian_bank import CLIP

# docs/research-log.md, "Constants of the arithmetic"
TOKENS = 8.0
SETTLED_EVENTS = 256
SETTLED = 0.01
TOKEN_EVENTS = 32.0
NEVER = -1
NO_ROWS = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class CleanAdvance:
    """The cleaned contexts after a batch, and the tokens (not yet written)."""

    context: Advance
    cleaned_at_K: IntArray
    spent_KC: Float32Array
    counted_K: IntArray


class CleanedContext:
    """What the keys would remember had their readings far off been as expected.

    A key's cleaned context is apart from its plain one from the first cleaned reading on, until
    both agree again.

    Args:
        context: The plain context.
        normaliser: Statistics of the keys.
        gaussians: Whose lagged bank says what is far off.
    """

    def __init__(
        self, *, context: SensorContext, normaliser: Normaliser, gaussians: SensorGaussians
    ) -> None:
        self._context, self._normaliser, self._gaussians = context, normaliser, gaussians
        num_channels = gaussians.vectors["lagged"].num_channels
        window, averages, units = (context.columns[n].shape[1:] for n in ("window", "ema", "leaky"))
        self.columns = KeyColumns(
            cleaned_at=((), np.int64, NEVER),
            spent=((num_channels,), np.float32, 0.0),
            counted=((), np.int64, 0),
            window=(window, np.float32, np.nan),
            ema=(averages, np.float64, 0.0),
            leaky=(units, np.float64, 0.0),
        )

    @property
    def num_back(self) -> int:
        """Rows that one row is part of in the lagged vector."""
        return self._gaussians.vectors["lagged"].num_rows

    @property
    def possible(self) -> bool:
        """Whether single channels can be told apart: not where they are projected."""
        return not self._gaussians.vectors["lagged"].projected

    def read(
        self, plain: Features, entry_B: IntArray, innovation_B: FloatArray
    ) -> tuple[IntArray, Features, CleanAdvance] | None:
        """The rows of keys with a cleaned context, in it; None where no key has one.

        Args:
            plain: The batch's events in their plain context.
            entry_B: Entry of the Gaussians that scores each row.
            innovation_B: Largest innovation of each in the plain context.
        """
        if not self.possible:
            return None
        far_B = innovation_B >= FAR_OFF
        apart_B = self.columns["cleaned_at"][plain.slot_B] != NEVER
        slots = np.unique(plain.slot_B[far_B | apart_B])
        if not len(slots):
            return None
        rows = np.flatnonzero(np.isin(plain.slot_B, slots))
        pass_ = _Cleaning(self, plain.take(rows), entry_B[rows])
        return rows, *pass_.run()

    def write(self, advance: CleanAdvance) -> None:
        """Move on to what `read` returned."""
        columns, slots = self.columns, advance.context.slots
        memory = advance.context.memory
        columns["window"][slots], columns["ema"][slots] = memory.window_KTC, memory.ema_KF
        columns["leaky"][slots] = memory.leaky_KH
        columns["cleaned_at"][slots] = advance.cleaned_at_K
        columns["spent"][slots], columns["counted"][slots] = advance.spent_KC, advance.counted_K

    def settle(self, slots: IntArray) -> None:
        """At an epoch's end: keys whose two contexts agree again have one."""
        columns, plain = self.columns, self._context.columns
        slots = slots[columns["cleaned_at"][slots] != NEVER]
        if not len(slots):
            return
        _, scale_KC = self._normaliser.statistics(slots, self._context.origins.of(slots))
        copies = columns["ema"].shape[1] // scale_KC.shape[1]
        away_KF = np.abs(columns["ema"][slots] - plain["ema"][slots])
        level_KF = np.abs(away_KF) / np.tile(scale_KC, copies)
        old_K = plain["age"][slots] - columns["cleaned_at"][slots] >= SETTLED_EVENTS
        agree_K = old_K & (np.nan_to_num(level_KF, nan=0.0).max(1) <= SETTLED)
        columns["cleaned_at"][slots[agree_K]] = NEVER

    def memory(self, slots: IntArray) -> Memory:
        """What the keys remember: the cleaned context where there is one, else the plain one."""
        plain, columns = self._context.memory(slots), self.columns
        apart_K = columns["cleaned_at"][slots] != NEVER
        return Memory(
            plain.age_K,
            np.where(apart_K[:, None, None], columns["window"][slots], plain.window_KTC),
            np.where(apart_K[:, None], columns["ema"][slots], plain.ema_KF),
            np.where(apart_K[:, None], columns["leaky"][slots], plain.leaky_KH),
        )

    def extend(
        self, runs: Runs, values_BC: FloatArray, window_KTC: Float32Array
    ) -> tuple[Float32Array, IntArray]:
        """As `SensorContext.extend`."""
        return self._context.extend(runs, values_BC, window_KTC)

    def innovations(
        self, rows_LC: Float32Array, place_R: IntArray, plain: Features, entry_R: IntArray
    ) -> tuple[Float32Array, Float32Array]:
        """`[R, F]` P z, and `[R, C]` innovations of the rows at some places."""
        vector = self._gaussians.vectors["lagged"]
        flat_RF = last_rows(rows_LC, place_R, vector.num_rows).reshape(len(place_R), -1)
        return self._gaussians.innovations(flat_RF, entry_R, plain.center_BC, plain.scale_BC)

    def expected_row(
        self, x_C: Float32Array, pull_C: FloatArray, plain: Features, entry: int, token_C: BoolArray
    ) -> tuple[IntArray, FloatArray]:
        """Channels of one row that are cleaned, and their expected values."""
        bank = self._gaussians["lagged"]
        newest = slice(-len(x_C), None)
        whiten_CF = bank.whiten_EFF[entry, newest].astype(np.float64)
        steps_C, paid = expected_steps(pull_C, whiten_CF @ whiten_CF.T, token_C)
        center_C, scale_C = np.zeros(len(x_C)), np.ones(len(x_C))
        if entry == 0:
            center_C, scale_C = plain.center_BC[0], plain.scale_BC[0]
        mean_C = bank.mean_EF[entry, newest]
        inverse_C = bank.inverse_scale_EF[entry, newest].astype(np.float64)
        z_C = ((x_C - center_C) / scale_C - mean_C) * inverse_C
        z_C = np.clip(np.nan_to_num(z_C, nan=0.0), -CLIP, CLIP)
        expected_C = center_C + scale_C * (mean_C + (z_C - steps_C) / inverse_C)
        return paid, expected_C[paid]

    def contexts(
        self, plain: Features, clean_RC: FloatArray, memory: Memory
    ) -> tuple[Features, Advance]:
        """Events with their values as they came in a context of clean rows."""
        context = self._context
        clean, _, advance = context.read(
            plain.slot_B, clean_RC, self._normaliser, plain.origins, memory
        )
        came_RC = np.where(np.isnan(plain.values_BC), clean_RC, plain.values_BC).astype(np.float32)
        recent_RNC = clean.recent_BNC.copy()
        recent_RNC[:, -1] = came_RC
        moved_RC = np.nan_to_num(came_RC - clean_RC, nan=0.0)
        ema_RF = clean.ema_BF + context.ema_rate_F * np.tile(moved_RC, len(context.spans))
        leaky = context.leaky
        drives = (
            leaky.drive(np.nan_to_num((x_RC - clean.center_BC) / clean.scale_BC, nan=0.0))
            for x_RC in (came_RC, clean_RC)
        )
        leaky_RH = clean.leaky_BH + leaky.rate_H * np.subtract(*drives)
        seen = replace(
            clean,
            values_BC=plain.values_BC,
            recent_BNC=recent_RNC,
            ema_BF=ema_RF.astype(np.float32),
            leaky_BH=leaky_RH.astype(np.float32),
        )
        return seen, advance

    def state_dict(self) -> dict[str, Any]:
        """Cleaned contexts and tokens of every key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


class _Cleaning:
    """One walk over the readings far off of a batch: each is settled before the next is judged."""

    def __init__(self, cleaned: CleanedContext, plain: Features, entry_R: IntArray) -> None:
        self._cleaned, self._runs = cleaned, Runs(plain.slot_B)
        order = self._runs.order
        self._plain, self._entry_S = plain, entry_R[order]
        self._sorted = plain.take(order)
        self._memory = cleaned.memory(self._runs.slots)
        self._rows_LC, place_R = cleaned.extend(
            self._runs, plain.values_BC, self._memory.window_KTC
        )
        self._place_S = place_R[order]
        columns, slots = cleaned.columns, self._runs.slots
        self._spent_KC, self._counted_K = columns["spent"][slots], columns["counted"][slots]
        self._cleaned_at_K = columns["cleaned_at"][slots]
        self._pull_SF, size_SC = self._innovations(np.arange(len(order)))
        self._far_S = size_SC.max(1, initial=0.0) >= FAR_OFF

    def _innovations(self, rows: IntArray) -> tuple[Float32Array, Float32Array]:
        return self._cleaned.innovations(
            self._rows_LC, self._place_S[rows], self._sorted.take(rows), self._entry_S[rows]
        )

    def run(self) -> tuple[Features, CleanAdvance]:
        """The events in their cleaned context, and what the keys remember then."""
        runs = self._runs
        group_S = np.repeat(np.arange(len(runs.slots)), runs.counts)
        while len(todo := np.flatnonzero(self._far_S)):
            first = todo[np.unique(group_S[todo], return_index=True)[1]]
            self._far_S[first] = False
            later = np.concatenate([self._clean(row, int(group_S[row])) for row in first.tolist()])
            if len(later):
                self._pull_SF[later], size_SC = self._innovations(later)
                self._far_S[later] = size_SC.max(1, initial=0.0) >= FAR_OFF
        return self._finish()

    def _clean(self, row: int, key: int) -> IntArray:
        """Clean one row that is far off, as far as there are tokens; the rows to judge again."""
        age, place = int(self._sorted.age_B[row]), self._place_S[row]
        spent_C = self._spent_KC[key]
        back = (age - self._counted_K[key]) / TOKEN_EVENTS
        spent_C = np.maximum(spent_C - np.float32(back), 0.0)
        token_C = spent_C <= TOKENS - 1.0
        if not token_C.any():
            return NO_ROWS
        x_C = self._rows_LC[place]
        pull_C = self._pull_SF[row, -len(x_C) :].astype(np.float64)
        one = self._sorted.take(slice(row, row + 1))
        paid, expected = self._cleaned.expected_row(
            x_C, pull_C, one, int(self._entry_S[row]), token_C
        )
        if not len(paid):
            return NO_ROWS
        spent_C[paid] += 1.0
        self._spent_KC[key], self._counted_K[key] = spent_C, age
        self._cleaned_at_K[key] = age
        x_C[paid] = expected
        last = max(self._carry_on(row, key, int(channel)) for channel in paid)
        stop = int(self._runs.starts[key] + self._runs.counts[key])
        return np.arange(row + 1, min(last + self._cleaned.num_back, stop))

    def _carry_on(self, row: int, key: int, channel: int) -> int:
        """Values that are missing behind a cleaned one are the cleaned one; the last such row."""
        stop = int(self._runs.starts[key] + self._runs.counts[key])
        value = self._rows_LC[self._place_S[row], channel]
        while row + 1 < stop and np.isnan(self._sorted.values_BC[row + 1, channel]):
            row += 1
            self._rows_LC[self._place_S[row], channel] = value
        return row

    def _finish(self) -> tuple[Features, CleanAdvance]:
        clean_RC = np.empty(self._plain.values_BC.shape)
        clean_RC[self._runs.order] = self._rows_LC[self._place_S]
        seen, advance = self._cleaned.contexts(self._plain, clean_RC, self._memory)
        return seen, CleanAdvance(advance, self._cleaned_at_K, self._spent_KC, self._counted_K)


def expected_steps(
    pull_C: FloatArray, precision_CC: FloatArray, has_token_C: BoolArray
) -> tuple[FloatArray, IntArray]:
    """`[C]` how far cleaned channels move back, 0 for others; and the channels that pay.

    Again and again the channel that stands out the most is replaced by what the others say:
    j = argmax |v_j| / sqrt(P_jj), d_j = v_j / P_jj, v <- v - P_j d_j, until none is 6 or more.
    """
    pull_C, steps_C = pull_C.copy(), np.zeros(len(pull_C))
    root_C = np.sqrt(np.maximum(np.diagonal(precision_CC), 1e-30))
    free_C, paid = np.ones(len(pull_C), bool), []
    for _ in range(len(pull_C)):
        size_C = np.where(free_C, np.abs(pull_C) / root_C, 0.0)
        channel = int(size_C.argmax())
        if size_C[channel] < FAR_OFF:
            break
        step = pull_C[channel] / precision_CC[channel, channel]
        pull_C -= precision_CC[channel] * step
        free_C[channel] = False
        if has_token_C[channel]:
            steps_C[channel] = step
            paid.append(channel)
    return steps_C, np.array(paid, np.int64)
