"""Exponential moving averages over many keys at once; cutting the stream changes no bit.

The recurrence h <- h + rate (x - h) is a running sum of rate x / decay^t, scaled back by decay^t
with decay = 1 - rate. Sums are added up one event after another whatever the batch, and their base
moves every `BLOCK` events of a key (before the powers overflow), so no bit depends on the cut.

K = keys, B = events, L = places on a key's timeline, D = averaged values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamssl.arithmetic.tiles import Floats
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import Runs

# docs/research-log.md, "Constants of the arithmetic"
BLOCK = 32
LARGEST_RATE = 1.0 - 1e-6
LONG = 64  # rows of a key in one batch from which its sums are added up block by block


class EmaScan:
    """Moving averages of D values, each with its own rate: h <- h + rate (x - h).

    The state of a key is the scaled sum `[D]`, and its phase: events since the sum's base moved.

    Args:
        rate_D: `[D]` weight of the newest value, in (0, 1].
        dtype: Of sums and averages; float32 where half the time counts for more than digits.

    Example:
        >>> scan = EmaScan(np.array([0.5]))
        >>> runs = Runs(np.zeros(3, np.int64))
        >>> average, _ = scan.run(
        ...     runs, np.zeros((1, 1)), np.zeros(1, np.int64), np.array([[4.0], [0.0], [0.0]])
        ... )
        >>> average.ravel()
        array([2. , 1. , 0.5])
    """

    def __init__(self, rate_D: FloatArray, dtype: npt.DTypeLike = np.float64) -> None:
        rate_D = np.minimum(rate_D, LARGEST_RATE)
        shrink_TD = (1.0 - rate_D) ** np.arange(1, BLOCK + 1)[:, None]
        self.gain_TD = (rate_D / shrink_TD).astype(dtype)
        self.shrink_TD = shrink_TD.astype(dtype)

    def run(
        self,
        runs: Runs,
        sum_KD: Floats,
        phase_K: IntArray,
        x_BD: Floats,
        first_BD: BoolArray | None = None,
    ) -> tuple[Floats, Floats]:
        """Averages after each event, and each key's sum after its last one.

        Args:
            runs: How the batch's rows fall to keys.
            sum_KD: Sums before the batch, in the order of `runs.slots` (0 for a new key).
            phase_K: Events of the key before the batch, modulo `BLOCK`.
            x_BD: Values, finite.
            first_BD: Where an average begins: it takes the value itself; None for nowhere.

        Returns:
            `[B, D]` averages, and `[K, D]` sums.
        """
        long_K = runs.counts > LONG
        if len(long_K) == 1 and long_K[0]:
            average_BD, last_D = self._by_block(sum_KD[0], int(phase_K[0]), x_BD, first_BD)
            return average_BD, last_D[None]
        average_BD, last_KD = np.empty(x_BD.shape, self.gain_TD.dtype), sum_KD.copy()
        for key in np.flatnonzero(long_K).tolist():
            rows = runs.order[runs.starts[key] : runs.starts[key] + runs.counts[key]]
            first_LD = None if first_BD is None else first_BD[rows]
            average_BD[rows], last_KD[key] = self._by_block(
                sum_KD[key], int(phase_K[key]), x_BD[rows], first_LD
            )
        short = np.flatnonzero(~long_K[runs.group])
        if len(short):
            phase_S = (phase_K[runs.group[short]] + runs.rank[short]) % BLOCK
            first_SD = None if first_BD is None else first_BD[short]
            sum_SD = self._terms(phase_S, x_BD[short], first_SD)
            self._add_by_rank(runs.group[short], runs.rank[short], phase_S, sum_SD, last_KD)
            average_BD[short] = sum_SD * self.shrink_TD[phase_S]
        return average_BD, last_KD

    def sums_at(self, average_KD: FloatArray, age_K: IntArray) -> FloatArray:
        """`[K, D]` sums of keys whose averages are these after so many events."""
        phase_K = age_K % BLOCK
        scaled_KD = average_KD / self.shrink_TD[phase_K - 1]
        return np.where(phase_K[:, None] == 0, average_KD, scaled_KD)

    def _terms(self, phases: Any, x_BD: Floats, first_BD: BoolArray | None) -> Floats:
        """What each row adds to its scaled sum; `phases` picks rows of the powers."""
        term_BD: Floats = self.gain_TD[phases] * x_BD
        if first_BD is not None and first_BD.any():
            np.copyto(term_BD, 1.0 / self.shrink_TD[phases] * x_BD, where=first_BD)
        return term_BD

    def _by_block(
        self, base_D: Floats, phase: int, x_LD: Floats, first_LD: BoolArray | None
    ) -> tuple[Floats, Floats]:
        """Averages of one key's rows, `BLOCK` at a time, and its sum after the last."""
        average_LD = np.empty(x_LD.shape, self.gain_TD.dtype)
        for start in range(-phase, len(x_LD), BLOCK):
            rows = slice(max(start, 0), start + BLOCK)
            phases = slice(rows.start - start, rows.start - start + len(x_LD[rows]))
            first_TD = None if first_LD is None else first_LD[rows]
            sum_TD = self._terms(phases, x_LD[rows], first_TD)
            sum_TD[0] += base_D
            np.add.accumulate(sum_TD, axis=0, out=sum_TD)
            base_D = sum_TD[-1]
            if phases.stop == BLOCK:
                base_D = base_D * self.shrink_TD[-1]
            np.multiply(sum_TD, self.shrink_TD[phases], out=average_LD[rows])
        return average_LD, base_D

    def _add_by_rank(
        self,
        group_S: IntArray,
        rank_S: IntArray,
        phase_S: IntArray,
        sum_SD: Floats,
        last_KD: Floats,
    ) -> None:
        """Terms become sums, in place: first rows of all keys, then second rows, and so on."""
        rows = np.argsort(rank_S, kind="stable")
        for turn in np.split(rows, np.cumsum(np.bincount(rank_S))[:-1]):
            sum_TD = sum_SD[turn]
            sum_TD += last_KD[group_S[turn]]
            sum_SD[turn] = sum_TD
            sum_TD[phase_S[turn] == BLOCK - 1] *= self.shrink_TD[-1]
            last_KD[group_S[turn]] = sum_TD
