"""Yardsticks: how often evidence was as large, by decayed histograms of each key.

What a yardstick takes in is bounded, so that the faults of yesterday do not hide those of today:
an entry counts at most as the place that is half a decade less rare than an alarm, and of a run of
rare rows only the first few count, until so many rows were rare that they are the new normal.

B = rows, K = histograms, N = bins, E = kinds of evidence. A histogram is named slot * E + kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamssl.alerts.tables import KNOTS, NUM_COLUMNS, TAIL_SHARES, Tables, tables_of
from streamssl.arithmetic.acceptance import lasting
from streamssl.arithmetic.histogram import NUM_BINS, add_bins_to_pool
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs, of_rows

# docs/research-log.md, "Constants of the arithmetic"
POOL_MEMORY = 2_000.0
BOUND = 3.2  # half a decade: bounded at the alarm itself an entry could never raise it
RUN_SHARE = 0.5
REFRESH_MAX = 64  # scores after which a table is made anew; a young one after an eighth
REFRESH_SHARE = 8
GROWTH = 4.0  # memories after which a histogram's weights are scaled back
NEVER = -1


class Alarm(NamedTuple):
    """What counts as rare for some keys.

    Attributes:
        p_KE: p-values at which a key opens an incident now.
        largest_p_KE: The same at a full budget.
        gap: Ordinary rows that end a run.
        accepted_K: Rows of a run after which it is the new normal.
    """

    p_KE: FloatArray
    largest_p_KE: FloatArray
    gap: int
    accepted_K: FloatArray


class Yardstick:
    """A histogram for each key and kind of evidence, of places in bins.

    Args:
        num_evidence: E.
        memory: Scores that a histogram remembers.
        patience: Accepted runs that rare rows must last for to be the new normal.
    """

    def __init__(self, *, num_evidence: int, memory: int, patience: float = 1.0) -> None:
        self.num_evidence, self.memory, self.patience = num_evidence, float(memory), patience
        kinds = (num_evidence,)
        self.columns = KeyColumns(
            counts=((num_evidence, NUM_BINS), np.float32, 0.0),
            table=((num_evidence, NUM_COLUMNS), np.float64, np.nan),
            seen=(kinds, np.int64, 0),
            grown=(kinds, np.int64, 0),  # scores since the weights were scaled back
            fresh=(kinds, np.int64, NEVER),  # scores seen when the table was made
            # Age of the last rare row, and how many came before it in its run.
            run=((num_evidence, 2), np.int64, NEVER),
            lasting=(kinds, np.float64, 0.0),  # rare rows, less a quarter of the ordinary ones
        )
        self.pool_EN = np.zeros((num_evidence, NUM_BINS))

    def tables(self, names: IntArray) -> Tables:
        """The tables of some histograms; those without one have that of the pool."""
        table_KX = self._flat("table")[names]
        missing = np.flatnonzero(np.isnan(table_KX[:, 0]))
        if len(missing):
            kinds, which = np.unique(names[missing] % self.num_evidence, return_inverse=True)
            nothing = np.zeros((len(kinds), NUM_BINS))
            pools = tables_of(nothing, np.zeros(len(kinds), np.int64), self.pool_EN[kinds])
            table_KX[missing] = pools[which]
        return Tables(table_KX)

    def of_all(self, kind: int) -> Tables:
        """The table of all keys together, of one kind of evidence."""
        nothing, pool_1N = np.zeros((1, NUM_BINS)), self.pool_EN[kind : kind + 1]
        return Tables(tables_of(nothing, np.zeros(1, np.int64), pool_1N))

    def seen(self, names: IntArray) -> IntArray:
        """`[K]` scores that some histograms were given."""
        seen_K: IntArray = self._flat("seen")[names]
        return seen_K

    def warm(self, slots: IntArray, kind: int, warmup: int) -> BoolArray:
        """`[K]` which keys' histograms of one kind have seen enough."""
        warm_K: BoolArray = self.columns["seen"][slots, kind] >= warmup
        return warm_K

    def _flat(self, column: str) -> npt.NDArray[Any]:
        array = self.columns[column]
        return array.reshape(-1, *array.shape[2:])

    def learn(
        self,
        keys: Runs,
        age_B: IntArray,
        position_BE: FloatArray,
        alarm: Alarm,
        known_B: BoolArray | None = None,
    ) -> None:
        """Take in an epoch's places, bounded and with runs thinned.

        Args:
            keys: How the rows fall to keys.
            age_B: Events of the key before each row.
            position_BE: Places, in bins.
            alarm: What counts as rare.
            known_B: Rows that have a place; None for all. The others are seen, and enter nothing.
        """
        if not len(age_B):
            return
        names_KE = keys.slots[:, None] * self.num_evidence + np.arange(self.num_evidence)
        high, kind_H = self._high(keys, position_BE, alarm)
        at_H = keys.group[high], kind_H
        tables, position_H = self.tables(names_KE[at_H]), position_BE[high, kind_H]
        is_rare_H = position_H >= tables.place(alarm.largest_p_KE[at_H])
        rare, at_R = high[is_rare_H], (at_H[0][is_rare_H], kind_H[is_rare_H])
        normal_KE = self._new_normal(keys, *at_R, self.patience * alarm.accepted_K)
        kept_BE = np.ones(position_BE.shape, bool)
        if len(rare):
            most_R = RUN_SHARE * alarm.largest_p_KE[at_R] * tables.total_K[is_rare_H]
            rank_R = self._ranks(names_KE[at_R], age_B[rare], alarm.gap)
            kept_BE[rare, at_R[1]] = (rank_R < np.maximum(most_R, 1.0)) | normal_KE[at_R]
        if known_B is not None:
            kept_BE &= known_B[:, None]
        bin_BE = position_BE.clip(0, NUM_BINS - 1)
        bound_H = np.where(normal_KE[at_H], np.inf, tables.place(alarm.p_KE[at_H] / BOUND))
        bin_BE[high, kind_H] = np.minimum(position_H, bound_H).clip(0, NUM_BINS - 1)
        self._add(keys, names_KE, bin_BE.astype(np.int64), kept_BE)
        self.columns["seen"][keys.slots] += keys.counts[:, None]
        self._refresh(names_KE.reshape(-1))

    def _high(self, keys: Runs, position_BE: FloatArray, alarm: Alarm) -> tuple[IntArray, IntArray]:
        """Rows and kinds that may be rare: over a knot that is, and where no table is yet."""
        # No tail begins lower than its largest share, and above it a smaller p lies higher.
        largest = max(float(alarm.largest_p_KE.max()), TAIL_SHARES[-1])
        knot = np.flatnonzero(largest <= KNOTS)[-1]
        screen_KE = self.columns["table"][keys.slots, :, knot]
        high, kind_H = np.nonzero(~(position_BE < of_rows(screen_KE, keys.group)))
        return high, kind_H

    def _new_normal(
        self, keys: Runs, group_R: IntArray, kind_R: IntArray, accepted_K: FloatArray
    ) -> BoolArray:
        """`[K, E]` whether what was rare has become common: c >= the rows of an accepted run.

        c as `acceptance.lasting` gives it, over an epoch.
        """
        num_KE = np.zeros((len(keys.slots), self.num_evidence))
        np.add.at(num_KE, (group_R, kind_R), 1.0)
        held_KE = self.columns["lasting"][keys.slots]
        lasting_KE = lasting(held_KE, num_KE, keys.counts[:, None] - num_KE)
        self.columns["lasting"][keys.slots] = np.minimum(lasting_KE, 2.0 * accepted_K[:, None])
        normal_KE: BoolArray = lasting_KE >= accepted_K[:, None]
        return normal_KE

    def _add(self, keys: Runs, names_KE: IntArray, bin_BE: IntArray, kept_BE: BoolArray) -> None:
        """Decay and add, h <- (1 - 1/M)^n h + new, as growing weights of the new ones."""
        grown, counts = self._flat("grown"), self._flat("counts")
        num_KE = np.add.reduceat(keys.sorted(kept_BE), keys.starts, axis=0, dtype=np.int64)
        grown[names_KE] += num_KE
        weight_KE = np.exp(grown[names_KE] * -np.log1p(-1.0 / self.memory)).astype(np.float32)
        # One index into all bins: NumPy adds by two several times as slowly.
        cell_BE = names_KE[keys.group] * NUM_BINS + bin_BE
        weight_BE = np.broadcast_to(of_rows(weight_KE, keys.group), kept_BE.shape)
        np.add.at(counts.reshape(-1), cell_BE[kept_BE], weight_BE[kept_BE])
        large = names_KE[grown[names_KE] > GROWTH * self.memory]
        counts[large] *= self._shrink(large)[:, None]
        grown[large] = 0
        for kind in range(self.num_evidence):
            add_bins_to_pool(self.pool_EN[kind], bin_BE[kept_BE[:, kind], kind], POOL_MEMORY)

    def _shrink(self, names: IntArray) -> npt.NDArray[np.float32]:
        """`[K]` what a histogram's weights are to be multiplied by."""
        grown_K = self._flat("grown")[names].astype(np.float64)
        return ((1.0 - 1.0 / self.memory) ** grown_K).astype(np.float32)

    def _refresh(self, names: IntArray) -> None:
        """Make the tables anew that are due."""
        seen, fresh = self._flat("seen"), self._flat("fresh")
        wait_K = np.clip(seen[names] // REFRESH_SHARE, 1, REFRESH_MAX)
        due = names[seen[names] - fresh[names] >= wait_K]
        if not len(due):
            return
        counts_KN = self._flat("counts")[due].astype(np.float64)
        counts_KN *= self._shrink(due)[:, None]
        pool_KN = self.pool_EN[due % self.num_evidence]
        self._flat("table")[due] = tables_of(counts_KN, seen[due], pool_KN)
        fresh[due] = seen[due]

    def _ranks(self, name_R: IntArray, age_R: IntArray, gap: int) -> IntArray:
        """How many rare rows came before in each one's run; keeps the last of each key."""
        order = np.argsort(name_R, kind="stable")
        name_R, age_R = name_R[order], age_R[order]
        held_K2, place_R = self._flat("run"), np.arange(len(name_R))
        begins_R = np.ones(len(name_R), bool)
        np.not_equal(name_R[1:], name_R[:-1], out=begins_R[1:])
        last_R = np.where(begins_R, held_K2[name_R, 0], np.r_[NEVER, age_R[:-1]])
        fresh_R = (last_R == NEVER) | (age_R - last_R > gap)
        start_R = np.maximum.accumulate(np.where(fresh_R | begins_R, place_R, 0))
        before_R = np.where(begins_R & ~fresh_R, held_K2[name_R, 1] + 1, 0)[start_R]
        rank_R = before_R + place_R - start_R
        ends = np.flatnonzero(np.r_[begins_R[1:], True])
        held_K2[name_R[ends]] = np.stack([age_R[ends], rank_R[ends]], axis=1)
        rank_R[order] = rank_R.copy()
        return rank_R

    def clear(self, slots: IntArray, kind: int) -> None:
        """Forget one kind of evidence of some keys."""
        initial = (("counts", 0.0), ("table", np.nan), ("seen", 0), ("grown", 0))
        for name, value in (*initial, ("fresh", NEVER), ("run", NEVER), ("lasting", 0.0)):
            self.columns[name][slots, kind] = value

    def state_dict(self) -> dict[str, Any]:
        """The histograms of every key and of all together."""
        return {"columns": self.columns.state_dict(), "pool": self.pool_EN.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state["columns"])
        self.pool_EN = np.array(state["pool"])
