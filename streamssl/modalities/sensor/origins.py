"""Where each channel of a key has its zero: so far from 0 that float32 holds no changes, too.

A channel begins with its third value. The median of the three is its origin for good, and from
then on all that looks at it sees the value less its origin: its level costs no digits, and an
impossible reading among the first moves nothing.

B = events, K = keys, C = channels, S = new values' rows, sorted by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streamssl.arithmetic.missing import has_missing
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs

# docs/research-log.md, "Constants of the arithmetic"
FARTHEST_ORIGIN = 1e15  # float64 holds no changes beyond, either
BEFORE = 2  # values before the one that a channel begins with


class OriginsAdvance(NamedTuple):
    """Keys whose channels have new first values, and these (not yet written)."""

    slots: IntArray
    first_KNC: FloatArray
    origin_KC: FloatArray


@dataclass(frozen=True, slots=True)
class OriginsOfBatch:
    """Origins of the keys of one batch, those that it decides included.

    Attributes:
        columns: Of the keys, before the batch or after.
        decided: What the batch decides, None for nothing.
    """

    columns: KeyColumns
    decided: OriginsAdvance | None = None

    def of(self, slots: IntArray) -> FloatArray:
        """`[K, C]` origins of the keys in `slots`, 0 where a channel has none yet."""
        origin_KC = self.columns["origin"][slots]
        if self.decided is not None:
            place_K = np.searchsorted(self.decided.slots, slots)
            place_K = np.minimum(place_K, len(self.decided.slots) - 1)
            found_K = self.decided.slots[place_K] == slots
            origin_KC[found_K] = self.decided.origin_KC[place_K[found_K]]
        origin_KC[np.isnan(origin_KC)] = 0.0
        return origin_KC


class Origins:
    """The origin of every key's channels.

    Args:
        num_channels: C.
    """

    def __init__(self, *, num_channels: int) -> None:
        self.columns = KeyColumns(
            first=((BEFORE, num_channels), np.float64, np.nan),
            origin=((num_channels,), np.float64, np.nan),
        )

    def of(self, slots: IntArray) -> FloatArray:
        """`[K, C]` origins of the keys in `slots`, 0 where a channel has none yet."""
        return OriginsOfBatch(self.columns).of(slots)

    def read(self, slot_B: IntArray, values_BC: FloatArray) -> tuple[FloatArray, OriginsOfBatch]:
        """Values less their origins, NaN before a channel begins; changes nothing."""
        origin_BC = self.columns["origin"][slot_B]
        about_BC = values_BC - origin_BC
        if not has_missing(about_BC):
            return about_BC, OriginsOfBatch(self.columns)
        new_BC = np.isnan(origin_BC) & ~np.isnan(values_BC)
        rows = np.flatnonzero(new_BC.any(1))
        if not len(rows):
            return about_BC, OriginsOfBatch(self.columns)
        about_RC, decided = self._begin(slot_B[rows], values_BC[rows], new_BC[rows])
        about_BC[rows] = np.where(new_BC[rows], about_RC, about_BC[rows])
        return about_BC, OriginsOfBatch(self.columns, decided)

    def write(self, read: OriginsOfBatch) -> None:
        """Move on to what `read` decided."""
        if read.decided is not None:
            slots, first_KNC, origin_KC = read.decided
            self.columns["first"][slots], self.columns["origin"][slots] = first_KNC, origin_KC

    def _begin(
        self, slot_R: IntArray, values_RC: FloatArray, new_RC: BoolArray
    ) -> tuple[FloatArray, OriginsAdvance]:
        """Values of channels without an origin less the one that they get, else NaN."""
        runs = Runs(slot_R)
        first_KNC, old_KC = (self.columns[name][runs.slots] for name in ("first", "origin"))
        new_SC, values_SC = new_RC[runs.order], values_RC[runs.order]
        number_SC = _numbers(runs, new_SC, BEFORE - np.isnan(first_KNC).sum(1))
        for place in range(BEFORE):
            found_KC = _the_one(runs, values_SC, new_SC & (number_SC == place + 1))
            first_KNC[:, place] = np.fmax(first_KNC[:, place], found_KC)
        third_KC = _the_one(runs, values_SC, new_SC & (number_SC == BEFORE + 1))
        origin_KC = np.where(
            np.isnan(third_KC), old_KC, _median(first_KNC[:, 0], first_KNC[:, 1], third_KC)
        )
        origin_KC[np.abs(origin_KC) > FARTHEST_ORIGIN] = 0.0
        about_RC = np.where(new_RC, values_RC - origin_KC[runs.group], np.nan)
        about_RC[runs.order[:, None], np.arange(values_RC.shape[1])] = np.where(
            number_SC > BEFORE, about_RC[runs.order], np.nan
        )
        return about_RC, OriginsAdvance(runs.slots, first_KNC, origin_KC)

    def state_dict(self) -> dict[str, Any]:
        """Origins of every key, and the first values of those without."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


def _numbers(runs: Runs, new_SC: BoolArray, had_KC: IntArray) -> IntArray:
    """`[S, C]` which value of its channel each new one is, of rows sorted by key."""
    count_SC: IntArray = np.cumsum(new_SC, axis=0, dtype=np.int64)
    before_KC: IntArray = count_SC[runs.starts] - new_SC[runs.starts]
    number_SC: IntArray = count_SC + np.repeat(had_KC - before_KC, runs.counts, axis=0)
    return number_SC


def _the_one(runs: Runs, values_SC: FloatArray, is_SC: BoolArray) -> FloatArray:
    """`[K, C]` the one value of each key's channel that is marked, NaN where none is."""
    return np.fmax.reduceat(np.where(is_SC, values_SC, np.nan), runs.starts, axis=0)


def _median(one: FloatArray, other: FloatArray, third: FloatArray) -> FloatArray:
    return np.maximum(np.minimum(one, other), np.minimum(np.maximum(one, other), third))
