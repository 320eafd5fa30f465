"""The level of a newcomer's evidence: what a key that joins a mature fleet is compared with.

B = rows, K = keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from streamssl.alerts.level import SECOND_OPINION, about_level
from streamssl.alerts.tables import Tables
from streamssl.arithmetic.first_blocks import BLOCK_ENDS, turns
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs

# docs/research-log.md, "Constants of the arithmetic"
ALERT_ROWS = 50
NO_CONTEXT = 8  # first rows of a key, of which the evidence says little
YOUNG_ROOM = 4.0  # bins by which a newcomer's evidence may be larger than that of the others


class FirstStep(NamedTuple):
    """Newcomers after a batch, not yet written: rows, sum of their evidence, and its level."""

    slots: IntArray
    rows_K: IntArray
    sum_K: FloatArray
    level_K: FloatArray


class FirstLevel:
    """Mean of a key's rows from the ninth to the end of the last block; it stays after 512."""

    def __init__(self) -> None:
        self.columns = KeyColumns(
            rows=((), np.int64, 0), sum=((), np.float64, 0.0), level=((), np.float64, np.nan)
        )

    def read(
        self, runs: Runs, newcomer_B: BoolArray, value_B: FloatArray
    ) -> tuple[FloatArray, BoolArray, FirstStep]:
        """The level before each row (NaN over the first 16), and newcomers that may alert.

        They may from their 50th event on. Changes nothing.

        Args:
            runs: How the rows fall to keys.
            newcomer_B: Rows of newcomers; all of a key are, or none.
            value_B: Evidence, as a logarithm.
        """
        slots = runs.slots
        rows_K, sum_K, level_K = (self.columns[name][slots] for name in ("rows", "sum", "level"))
        row_B, level_B = rows_K[runs.group] + runs.rank, level_K[runs.group]
        for turn in turns(runs, newcomer_B & (row_B < BLOCK_ENDS[-1])):
            key_T = runs.group[turn]
            level_B[turn] = level_K[key_T]
            sum_K[key_T] += np.where(row_B[turn] >= NO_CONTEXT, value_B[turn], 0.0)
            ends_T = np.isin(row_B[turn] + 1, BLOCK_ENDS)
            counted_X = row_B[turn[ends_T]] + 1 - NO_CONTEXT
            level_K[key_T[ends_T]] = sum_K[key_T[ends_T]] / counted_X
        past_B = newcomer_B & (row_B >= BLOCK_ENDS[-1])
        level_B[past_B] = level_K[runs.group[past_B]]
        rows_K = rows_K + np.where(newcomer_B[runs.order[runs.starts]], runs.counts, 0)
        may_alert_B = newcomer_B & (row_B >= ALERT_ROWS)
        return level_B, may_alert_B, FirstStep(slots, rows_K, sum_K, level_K)

    def may_alert(self, slots: IntArray) -> BoolArray:
        """`[K]` newcomers that had their 50th event."""
        may_K: BoolArray = self.columns["rows"][slots] >= ALERT_ROWS
        return may_K

    def write(self, step: FirstStep | None) -> None:
        """Move on to what `read` returned; None for nothing."""
        if step is not None:
            for name, value_K in zip(("rows", "sum", "level"), step[1:], strict=True):
                self.columns[name][step.slots] = value_K

    def state_dict(self) -> dict[str, Any]:
        """Every newcomer's level."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


def by_all_keys(
    long: Tables, local: Tables, position_R: FloatArray, level_R: FloatArray
) -> FloatArray:
    """`[R]` max(p_long, p_local / 10) of newcomers: how rare all keys' evidence is as large.

    Where a key's level is above theirs, as that of few rows is, up to four bins are taken off.

    Args:
        long: Of the evidence of all keys.
        local: Of how far it is above their levels.
        position_R: Places of the evidence, in bins.
        level_R: First level before each row, NaN where there is none.
    """
    nobody = np.zeros(len(position_R), np.int64)
    above_R = np.nan_to_num(level_R - long.place(np.array([0.5])))
    p_R = long.p_value(nobody, position_R - above_R.clip(0.0, YOUNG_ROOM))
    second_R = local.p_value(nobody, about_level(position_R, level_R))
    second_R[np.isnan(level_R)] = 0.0
    return np.maximum(p_R, second_R / SECOND_OPINION)
