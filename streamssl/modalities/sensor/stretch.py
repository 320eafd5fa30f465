"""Some rows of some keys in their cleaned context: what is far off is settled one after another.

The plain context minus the echo of what was cleaned is the cleaned one: averages and leaky units
are linear in what drives them, so that only the difference is carried on.

R = rows of all keys, K = keys, L = rows of all keys with their past, N = recent rows, C = channels,
F = averages, H = leaky units.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from streamssl.arithmetic.scan import BLOCK
from streamssl.data.columns import Columns
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import Runs
from streamssl.modalities.sensor.context import SensorContext, extend, last_rows
from streamssl.modalities.sensor.expectation import expected_row
from streamssl.modalities.sensor.features import FAR_OFF, Features
from streamssl.modalities.sensor.gaussians import SensorGaussians

# docs/research-log.md, "Constants of the arithmetic"
TOKENS = 8.0
TOKEN_EVENTS = 32.0
SETTLED = 0.01
NEVER = -1
NO_ROWS = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Apart(Columns):
    """How far the cleaned contexts of some keys are from their plain ones.

    Attributes:
        far_at: Age of the last row that was far off or is remembered otherwise than it came;
            NEVER where both contexts are one.
        spent, counted: Tokens spent of each channel, and the age at which they were counted.
        window: `[K, N, C]` last rows as they are remembered.
        ema, leaky: Sums of the echoes in averages and units, as `EmaScan` holds them.
    """

    far_at: IntArray
    spent: Float32Array
    counted: IntArray
    window: Float32Array
    ema: FloatArray
    leaky: FloatArray

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(field.name for field in fields(cls))

    def put(self, keys: IntArray, part: Apart) -> None:
        """Overwrite some keys."""
        for name in self.names():
            getattr(self, name)[keys] = getattr(part, name)


class Stretch:
    """Consecutive rows of some keys, each key's sorted, and what they remember before.

    Args:
        context: The plain context.
        gaussians: Whose lagged bank says what is far off.
        plain: The rows in their plain context.
        entry_R: Entry of the Gaussians that scores each.
        apart: Of the keys, before the rows; moved on by `run`.

    Attributes:
        length_K: Rows of each key up to the one where its contexts are one again, that included.
    """

    def __init__(
        self,
        context: SensorContext,
        gaussians: SensorGaussians,
        plain: Features,
        entry_R: IntArray,
        apart: Apart,
    ) -> None:
        self._context, self._gaussians = context, gaussians
        self._plain, self._entry_R, self.apart = plain, entry_R, apart
        self._runs, self._newest_RC = Runs(plain.slot_B), plain.recent_BNC[:, -1]
        # As the plain context has them: within the channels' bounds.
        values_RC = np.where(np.isnan(plain.values_BC), np.nan, self._newest_RC)
        self._rows_LC, self._place_R = extend(self._runs, values_RC, apart.window)
        self._num_back = gaussians.vectors["lagged"].num_rows
        self._pull_RF, size_RC = self._innovations(np.arange(len(entry_R)))
        self._todo_R = size_RC.max(1, initial=0.0) >= FAR_OFF
        self._far_R = np.zeros(len(entry_R), bool)
        self._paid: list[tuple[int, int, Float32Array, int]] = []
        self.length_K = self._runs.counts
        self._phase_K = plain.age_B[self._runs.starts] % BLOCK

    def _innovations(self, rows: IntArray) -> tuple[Float32Array, Float32Array]:
        """`[R, F]` P z, and `[R, C]` innovations of rows in what is remembered by now."""
        recent_RNC = last_rows(self._rows_LC, self._place_R[rows], self._num_back)
        units = self._plain.center_BC[rows], self._plain.scale_BC[rows]
        flat_RF = recent_RNC.reshape(len(rows), -1)
        return self._gaussians.innovations(flat_RF, self._entry_R[rows], *units)

    def run(self) -> tuple[BoolArray, Features]:
        """Which rows have another context than their plain one, and these in it."""
        group_R = self._runs.group
        while len(todo := np.flatnonzero(self._todo_R)):
            first = todo[np.unique(group_R[todo], return_index=True)[1]]
            self._todo_R[first], self._far_R[first] = False, True
            later = np.concatenate([self._clean(row, int(group_R[row])) for row in first.tolist()])
            if len(later):
                self._pull_RF[later], size_RC = self._innovations(later)
                self._todo_R[later] = size_RC.max(1, initial=0.0) >= FAR_OFF
        return self._finish()

    def _clean(self, row: int, key: int) -> IntArray:
        """Clean one row that is far off, as far as there are tokens; the rows to judge again."""
        age, place, apart = int(self._plain.age_B[row]), self._place_R[row], self.apart
        before_C, counted = apart.spent[key].copy(), int(apart.counted[key])
        spent_C = np.maximum(before_C - np.float32((age - counted) / TOKEN_EVENTS), 0.0)
        token_C = spent_C <= TOKENS - 1.0
        if not token_C.any():
            return NO_ROWS
        paid, expected = self._expected(row, token_C)
        if not len(paid):
            return NO_ROWS
        self._paid.append((row, key, before_C, counted))
        spent_C[paid] += 1.0
        apart.spent[key], apart.counted[key] = spent_C, age
        self._rows_LC[place, paid] = expected
        last = max(self._carry_on(row, key, int(channel)) for channel in paid)
        stop = int(self._runs.starts[key] + self._runs.counts[key])
        return np.arange(row + 1, min(last + self._num_back, stop))

    def _expected(self, row: int, token_C: BoolArray) -> tuple[IntArray, FloatArray]:
        x_C, entry = self._rows_LC[self._place_R[row]], int(self._entry_R[row])
        pull_C = self._pull_RF[row, -len(x_C) :].astype(np.float64)
        units = np.zeros(len(x_C)), np.ones(len(x_C))
        if entry == 0:
            units = self._plain.center_BC[row], self._plain.scale_BC[row]
        return expected_row(self._gaussians["lagged"], entry, x_C, units, pull_C, token_C)

    def _carry_on(self, row: int, key: int, channel: int) -> int:
        """Values that are missing behind a cleaned one are the cleaned one; the last such row."""
        stop = int(self._runs.starts[key] + self._runs.counts[key])
        value = self._rows_LC[self._place_R[row], channel]
        while row + 1 < stop and np.isnan(self._plain.values_BC[row + 1, channel]):
            row += 1
            self._rows_LC[self._place_R[row], channel] = value
        return row

    def _finish(self) -> tuple[BoolArray, Features]:
        plain, context = self._plain, self._context
        clean_RC, newest_RC = self._rows_LC[self._place_R], self._newest_RC
        came_RC = np.where(np.isnan(plain.values_BC), clean_RC, newest_RC)
        moved = np.flatnonzero((_difference(newest_RC, clean_RC) != 0.0).any(1))
        self._far_R[moved] = True
        first_RC = np.isnan(self._rows_LC[self._place_R - 1]) & ~np.isnan(clean_RC)
        ema_RF, own_RF = self._averages(first_RC, newest_RC, came_RC, clean_RC)
        leaky_RH, own_MH = self._units(moved, newest_RC, came_RC, clean_RC)
        kept_R = self._settle(ema_RF, leaky_RH)
        leaky_RH[moved] -= own_MH
        recent_RNC = last_rows(self._rows_LC, self._place_R, context.recent)
        recent_RNC[:, -1] = came_RC
        seen = replace(
            plain,
            recent_BNC=recent_RNC,
            ema_BF=(plain.ema_BF - (ema_RF - own_RF)).astype(np.float32),
            leaky_BH=(plain.leaky_BH - leaky_RH).astype(np.float32),
        )
        return kept_R, seen.take(kept_R)

    def _averages(
        self,
        first_RC: BoolArray,
        newest_RC: Float32Array,
        came_RC: Float32Array,
        clean_RC: Float32Array,
    ) -> tuple[FloatArray, FloatArray]:
        """Echo in the averages after each row, and what the row itself adds as it came."""
        context, copies = self._context, (1, len(self._context.spans))
        first_RF = np.tile(first_RC, copies)
        away_RF = np.tile(_difference(newest_RC, clean_RC), copies)
        ema_RF, self.apart.ema[:] = context.ema_scan.run(
            self._runs, self.apart.ema, self._phase_K, away_RF, first_RF
        )
        rate_RF = np.where(first_RF, 1.0, context.ema_rate_F)
        return ema_RF, rate_RF * np.tile(_difference(came_RC, clean_RC), copies)

    def _units(
        self,
        moved: IntArray,
        newest_RC: Float32Array,
        came_RC: Float32Array,
        clean_RC: Float32Array,
    ) -> tuple[FloatArray, FloatArray]:
        """The same of the leaky units; what moved rows add."""
        leaky, drive_MH = self._context.leaky, self._drive(clean_RC, moved)
        away_RH = np.zeros((len(clean_RC), leaky.num_units))
        away_RH[moved] = self._drive(newest_RC, moved) - drive_MH
        leaky_RH, self.apart.leaky[:] = self._context.leaky_scan.run(
            self._runs, self.apart.leaky, self._phase_K, away_RH
        )
        return leaky_RH, leaky.rate_H * (self._drive(came_RC, moved) - drive_MH)

    def _drive(self, x_RC: Float32Array, rows: IntArray) -> FloatArray:
        plain = self._plain
        z_MC = (x_RC[rows] - plain.center_BC[rows]) / plain.scale_BC[rows]
        return self._context.leaky.drive(np.nan_to_num(z_MC, nan=0.0))

    def _settle(self, ema_RF: FloatArray, leaky_RH: FloatArray) -> BoolArray:
        """Move the keys on; `[R]` the rows up to where their two contexts are one again.

        They are where all lagged rows are the same, and no average or unit is .01 of a deviation
        apart.
        """
        runs, apart, row_R = self._runs, self.apart, np.arange(len(ema_RF))
        begin_R = runs.starts[runs.group]
        last_R = np.maximum.accumulate(np.where(self._far_R, row_R, -1))
        before_R = begin_R - self._plain.age_B[runs.starts][runs.group] + apart.far_at[runs.group]
        last_R = np.where(last_R >= begin_R, last_R, before_R)
        scale_RF = np.tile(self._plain.scale_BC, ema_RF.shape[1] // self._plain.scale_BC.shape[1])
        faded_R = (np.abs(ema_RF) <= SETTLED * scale_RF).all(1)
        faded_R &= (np.abs(leaky_RH) <= SETTLED).all(1)
        faded_R &= row_R - last_R >= self._num_back
        stop_K = runs.starts + runs.counts
        over_K = np.logical_or.reduceat(faded_R, runs.starts)
        first_K = np.minimum.reduceat(np.where(faded_R, row_R, len(row_R)), runs.starts)
        end_K = np.where(over_K, first_K + 1, stop_K)
        self.length_K = end_K - runs.starts
        for row, key, spent_C, counted in reversed(self._paid):
            if row >= end_K[key]:
                apart.spent[key], apart.counted[key] = spent_C, counted
        apart.far_at[:] = self._plain.age_B[stop_K - 1] - (stop_K - 1 - last_R[stop_K - 1])
        apart.far_at[over_K] = NEVER
        apart.window[:] = last_rows(self._rows_LC, self._place_R[stop_K - 1], self._context.recent)
        kept_R: BoolArray = row_R < end_K[runs.group]
        return kept_R


def _difference(one_RC: Float32Array, other_RC: Float32Array) -> FloatArray:
    """`[R, C]` how far two rows are apart, 0 where a value was never seen."""
    return np.nan_to_num(one_RC - other_RC, nan=0.0).astype(np.float64)
