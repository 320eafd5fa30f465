"""A slow local level of the evidence of each key: what drifts is compared with its own recent past.

B = rows, K = keys, E = kinds of evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamssl.arithmetic.histogram import NUM_BINS
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs

# docs/research-log.md, "Constants of the arithmetic"
BLOCK = 64
SPAN = 128.0
GAIN = 1.0 - (1.0 - 1.0 / SPAN) ** BLOCK
PLAIN_ROWS = 64  # rows of a key over which the level is their plain mean
SECOND_OPINION = 10.0  # a p-value about the level, and one without, count within this factor
MIDDLE = NUM_BINS / 2
LONG = 64  # rows of a key in one batch from which it is walked by itself


@dataclass(frozen=True, slots=True)
class LevelStep:
    """Levels of a batch's rows, and the keys' state after it (not yet written)."""

    level_BE: FloatArray
    slots: IntArray
    count_K: IntArray
    level_KE: FloatArray
    sum_KE: FloatArray


class LocalLevel:
    """m <- m + (1 - (127/128)^64) mean(clip(l - m, low, high)) every 64 rows of a key.

    Over the first 64 rows it is their plain mean. A row far off moves it by the bound over 128.

    Args:
        num_evidence: E.
    """

    def __init__(self, *, num_evidence: int) -> None:
        row = (num_evidence,)
        self.columns = KeyColumns(
            count=((), np.int64, 0), level=(row, np.float64, 0.0), sum=(row, np.float64, 0.0)
        )

    def read(
        self, runs: Runs, value_BE: FloatArray, fitted_B: BoolArray, bounds_K2E: FloatArray
    ) -> LevelStep:
        """The level before each row, by rows of the key before it; changes nothing.

        It is NaN over a key's first 64 rows.

        Args:
            runs: How the rows fall to keys.
            value_BE: l, logarithms of the evidence.
            fitted_B: Which rows count; all of a key do, or none.
            bounds_K2E: Lowest and highest l - m that is taken as it is.
        """
        columns, slots = self.columns, runs.slots
        count_K, level_KE, sum_KE = (columns[name][slots] for name in ("count", "level", "sum"))
        counted_K = fitted_B[runs.order[runs.starts]]
        walk = _Walk(count_K, counted_K, level_KE, sum_KE, bounds_K2E)
        level_BE = np.empty_like(value_BE)
        long_K = runs.counts > LONG
        for key in np.flatnonzero(long_K).tolist():
            begin = runs.starts[key]
            rows = runs.order[begin : begin + runs.counts[key]]
            level_BE[rows] = walk.one_key(key, value_BE[rows])
        if not long_K.all():
            walk.many_keys(np.flatnonzero(~long_K[runs.group]), runs, value_BE, level_BE)
        count_K = count_K + np.where(counted_K, runs.counts, 0)
        sum_KE[~counted_K] = columns["sum"][slots[~counted_K]]
        return LevelStep(level_BE, slots, count_K, level_KE, sum_KE)

    def write(self, step: LevelStep) -> None:
        """Move on to what `read` returned."""
        for name, value in (
            ("count", step.count_K),
            ("level", step.level_KE),
            ("sum", step.sum_KE),
        ):
            self.columns[name][step.slots] = value

    def state_dict(self) -> dict[str, Any]:
        """Every key's levels."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


class _Walk:
    """Block after block of each key: the level stands within one, and moves at its end.

    Distances of a block are added up one after another from the held sum on, so that no bit
    depends on how polls cut the stream.
    """

    def __init__(
        self,
        count_K: IntArray,
        counted_K: BoolArray,
        level_KE: FloatArray,
        sum_KE: FloatArray,
        bounds_K2E: FloatArray,
    ) -> None:
        self._count_K, self._counted_K = count_K, counted_K
        self._level_KE, self._sum_KE = level_KE, sum_KE
        self._low_KE, self._high_KE = bounds_K2E[:, 0], bounds_K2E[:, 1]

    def one_key(self, key: int, value_RE: FloatArray) -> FloatArray:
        """`[R, E]` levels of the rows of one key, which are many; the key moves on."""
        found_RE = np.empty_like(value_RE)
        done, low_E, high_E = int(self._count_K[key]), self._low_KE[key], self._high_KE[key]
        row, counted = 0, bool(self._counted_K[key])
        level_E, sum_E = self._level_KE[key], self._sum_KE[key]
        while row < len(value_RE):
            stop = min(row + BLOCK - done % BLOCK, len(value_RE))
            found_RE[row:stop] = level_E if done >= BLOCK else np.nan
            if counted:
                off_RE = value_RE[row:stop] - level_E
                np.maximum(off_RE, low_E, out=off_RE)
                np.minimum(off_RE, high_E, out=off_RE)
                off_RE[0] += sum_E
                sum_E = np.add.accumulate(off_RE, axis=0)[-1]
                done += stop - row
                if done % BLOCK == 0:
                    level_E += (BLOCK / done if done <= PLAIN_ROWS else GAIN) * sum_E / BLOCK
                    sum_E = np.zeros_like(sum_E)
            row = stop
        self._sum_KE[key] = sum_E
        return found_RE

    def many_keys(
        self, rows: IntArray, runs: Runs, value_BE: FloatArray, level_BE: FloatArray
    ) -> None:
        """Levels of first rows of many keys, then of second rows, and so on; the keys move on."""
        rank_R, done_K = runs.rank[rows], self._count_K.copy()
        rows = rows[np.argsort(rank_R, kind="stable")]
        for turn in np.split(rows, np.cumsum(np.bincount(rank_R))[:-1]):
            keys = runs.group[turn]
            level_TE = self._level_KE[keys]
            level_BE[turn] = np.where(done_K[keys, None] >= BLOCK, level_TE, np.nan)
            off_TE = np.maximum(value_BE[turn] - level_TE, self._low_KE[keys])
            self._sum_KE[keys] += np.minimum(off_TE, self._high_KE[keys])
            done_K[keys] += self._counted_K[keys]
            full = keys[self._counted_K[keys] & (done_K[keys] % BLOCK == 0)]
            self._move(full, done_K[full])

    def _move(self, keys: IntArray, done_X: IntArray) -> None:
        """The level of keys whose block is over, after so many rows."""
        gain_X = np.where(done_X <= PLAIN_ROWS, BLOCK / done_X, GAIN)
        self._level_KE[keys] += gain_X[:, None] * self._sum_KE[keys] / BLOCK
        self._sum_KE[keys] = 0.0


def about_level(position_B: FloatArray, level_B: FloatArray) -> FloatArray:
    """Places of the local yardstick: 160 bins and what the evidence is above its level."""
    return MIDDLE + np.where(np.isnan(level_B), 0.0, position_B - level_B)
