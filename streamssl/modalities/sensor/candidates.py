"""Levels that may become one of a key's: rows far from all it has that are alike and come often.

Of each key one candidate is followed at a time.

R = rows of a key, C = channels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamssl.arithmetic.acceptance import Acceptance, lasting
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.modalities.sensor.robust import KNOWN_ROWS, quantile

# docs/research-log.md, "Constants of the arithmetic"
FAR = 6.0  # deviations from every mode at which a row may belong to another
CAP = 20.0  # most that one channel says of how far a row is from a level
# Mean of the channels' deviations up to which a row is at a level: of one channel, and of many.
NEAR_ONE = 6.0
NEAR_MANY = 2.0
AT_MOST = 9.0  # deviations of a single channel
KNOWN_SHARE = 1.0 / 8.0  # what a row at a known mode takes back of a candidate
NUM_TRIED = 16  # rows of which the one with the most like it begins a candidate
NUM_OTHERS = 3  # further levels at which rows of an epoch may lie
DENSE_ROWS = 8
DENSE_SHARE = 0.4  # of the rows far off elsewhere that are alike, from which they lie at a level


class Candidates:
    """Follows the candidates of keys whose levels are in some columns.

    Args:
        columns: `count`, `center`, `weight`, `candidate` and `candidate_rows` of the keys.
        acceptance: Rows after which a candidate is a mode, by those at the key's modes.
    """

    def __init__(self, columns: KeyColumns, acceptance: Acceptance) -> None:
        self._columns, self._acceptance = columns, acceptance

    def follow(
        self,
        runs: Runs,
        values_BC: FloatArray,
        far_B: BoolArray,
        worth_B: FloatArray,
        scales: Callable[[IntArray], FloatArray],
    ) -> tuple[BoolArray, BoolArray, IntArray]:
        """Move candidates on by an epoch's rows.

        Args:
            runs: How the rows fall to keys.
            values_BC: Their values.
            far_B: Rows far from all modes of their key.
            worth_B: Rows that each stands for.
            scales: Of the channels of given keys.

        Returns:
            `[B]` rows at the candidate of their key or alike elsewhere, `[B]` rows like no other,
            and slots of the keys for which the candidate is a mode from now on.
        """
        (level_B, wild_B), accepted = np.zeros((2, len(far_B)), bool), []
        touched_K = self._columns["candidate_rows"][runs.slots] > 0
        touched_K[runs.group[far_B]] = True
        for key in np.flatnonzero(touched_K).tolist():
            slot, begin = int(runs.slots[key]), runs.starts[key]
            rows = runs.order[begin : begin + runs.counts[key]]
            scale_C = scales(runs.slots[key : key + 1])[0]
            level_B[rows], wild_B[rows], count = self._move(
                slot, values_BC[rows], far_B[rows], worth_B[rows], scale_C
            )
            if count >= self._acceptance.after(self._columns["weight"][slot].sum()):
                self._accept(slot, count)
                accepted.append(slot)
        return level_B, wild_B, np.array(accepted, np.int64)

    def _move(
        self,
        slot: int,
        values_RC: FloatArray,
        far_R: BoolArray,
        worth_R: FloatArray,
        scale_C: FloatArray,
    ) -> tuple[BoolArray, BoolArray, float]:
        """Rows at a level of their own, rows at none, and how many were at the candidate by now.

        Rows at the key's modes take an eighth back, so that the last of four that take turns is
        learnt as well; those far off elsewhere say nothing.
        """
        columns, count = self._columns, float(self._columns["candidate_rows"][slot])
        known_C = columns["count"][slot] >= KNOWN_ROWS
        if count <= 0.0:
            columns["candidate"][slot] = _typical(values_RC[far_R], scale_C, known_C)
        level_C = columns["candidate"][slot]
        near_R = far_R & _at(level_C, values_RC, scale_C, known_C)
        num_near = float(worth_R[near_R].sum())
        count = float(lasting(count, num_near, worth_R[~far_R].sum(), KNOWN_SHARE))
        if num_near:
            middle_C = quantile(values_RC[near_R][None], 0.5)[0]
            level_C = np.where(np.isnan(level_C), middle_C, level_C)
            off_RC = values_RC[near_R] - level_C
            move_C = np.nan_to_num(off_RC).sum(0) / np.maximum((~np.isnan(off_RC)).sum(0), 1)
            columns["candidate"][slot] = level_C + move_C * num_near / max(count, num_near)
        columns["candidate_rows"][slot] = count
        dense_R, wild_R = _others(far_R & ~near_R, values_RC, scale_C, known_C)
        return near_R | dense_R, wild_R, count

    def _accept(self, slot: int, count: float) -> None:
        """The candidate becomes a mode, in the place of the one that was used least."""
        columns = self._columns
        mode, level_C = int(columns["weight"][slot].argmin()), columns["candidate"][slot]
        known_C = np.where(np.isnan(level_C), columns["center"][slot, 0], level_C)
        columns["center"][slot, mode], columns["weight"][slot, mode] = known_C, count
        columns["candidate_rows"][slot] = 0.0


def _at(
    level_C: FloatArray, values_RC: FloatArray, scale_C: FloatArray, known_C: BoolArray
) -> BoolArray:
    """`[R]` rows at a level: on the mean of the channels that are known, and none of them far."""
    with np.errstate(invalid="ignore", over="ignore"):
        z_RC = np.abs(np.nan_to_num((values_RC - level_C) / scale_C, nan=0.0))[:, known_C]
    if not z_RC.shape[1]:
        return np.zeros(len(values_RC), bool)
    near = NEAR_MANY + (NEAR_ONE - NEAR_MANY) / np.sqrt(z_RC.shape[1])
    at_R: BoolArray = (np.minimum(z_RC, CAP).mean(1) <= near) & (z_RC.max(1) <= AT_MOST)
    return at_R


def _typical(values_RC: FloatArray, scale_C: FloatArray, known_C: BoolArray) -> FloatArray:
    """Median of the rows like the one, of up to 16 throughout, with the most others like it."""
    tried = values_RC[np.linspace(0, len(values_RC) - 1, NUM_TRIED).astype(np.int64)]
    alike = [_at(row_C, tried, scale_C, known_C).sum() for row_C in tried]
    like_R = _at(tried[int(np.argmax(alike))], values_RC, scale_C, known_C)
    middle_C: FloatArray = quantile(values_RC[like_R][None], 0.5)[0]
    return middle_C


def _others(
    rest_R: BoolArray, values_RC: FloatArray, scale_C: FloatArray, known_C: BoolArray
) -> tuple[BoolArray, BoolArray]:
    """`[R]` which of some rows are alike, and which are noise that has grown; few may be either."""
    dense_R, wild_R = np.zeros((2, len(rest_R)), bool)
    for _ in range(NUM_OTHERS):
        rest = np.flatnonzero(rest_R & ~dense_R)
        if len(rest) < DENSE_ROWS:
            break
        level_C = _typical(values_RC[rest], scale_C, known_C)
        like = rest[_at(level_C, values_RC[rest], scale_C, known_C)]
        if len(like) < max(DENSE_ROWS, DENSE_SHARE * len(rest)):
            wild_R[rest] = True
            break
        dense_R[like] = True
    return dense_R, wild_R
