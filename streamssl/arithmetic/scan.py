"""Exponential moving averages over many keys at once; cutting the stream changes no bit.

The recurrence h <- h + rate (x - h) is a running sum of rate x / decay^t, scaled back by decay^t
with decay = 1 - rate. Sums are added up one event after another whatever the batch, and their base
moves every `BLOCK` events of a key (before the powers overflow), so no bit depends on the cut.

K = keys, B = events, L = places on a key's timeline, D = averaged values.
"""

from __future__ import annotations

import numpy as np

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

    Example:
        >>> scan = EmaScan(np.array([0.5]))
        >>> runs = Runs(np.zeros(3, np.int64))
        >>> average, _ = scan.run(
        ...     runs, np.zeros((1, 1)), np.zeros(1, np.int64), np.array([[4.0], [0.0], [0.0]])
        ... )
        >>> average.ravel()
        array([2. , 1. , 0.5])
    """

    def __init__(self, rate_D: FloatArray) -> None:
        rate_D = np.minimum(rate_D, LARGEST_RATE)
        self.shrink_TD = (1.0 - rate_D) ** np.arange(1, BLOCK + 1)[:, None]
        self.gain_TD = rate_D / self.shrink_TD

    def run(
        self,
        runs: Runs,
        sum_KD: FloatArray,
        phase_K: IntArray,
        x_BD: FloatArray,
        first_BD: BoolArray | None = None,
    ) -> tuple[FloatArray, FloatArray]:
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
        place_B = phase_K[runs.group] + runs.rank
        phase_B = place_B % BLOCK
        term_BD = np.take(self.gain_TD, phase_B, axis=0)
        if first_BD is not None:
            np.copyto(term_BD, 1.0 / self.shrink_TD[phase_B], where=first_BD)
        term_BD *= x_BD
        last_KD = sum_KD.copy()
        long_K = runs.counts > LONG
        if long_K.any():
            self._add_by_block(np.flatnonzero(long_K), runs, place_B, term_BD, last_KD)
        if not long_K.all():
            self._add_by_rank(~long_K[runs.group], runs, phase_B, term_BD, last_KD)
        term_BD *= np.take(self.shrink_TD, phase_B, axis=0)
        return term_BD, last_KD

    def _add_by_rank(
        self,
        rows_B: BoolArray,
        runs: Runs,
        phase_B: IntArray,
        sum_BD: FloatArray,
        last_KD: FloatArray,
    ) -> None:
        """Terms become sums, in place: first rows of all keys, then second rows, and so on."""
        rows = np.flatnonzero(rows_B)
        rows = rows[np.argsort(runs.rank[rows], kind="stable")]
        for turn in np.split(rows, np.cumsum(np.bincount(runs.rank[rows]))[:-1]):
            keys = runs.group[turn]
            sum_TD = sum_BD[turn]
            sum_TD += last_KD[keys]
            sum_BD[turn] = sum_TD
            sum_TD[phase_B[turn] == BLOCK - 1] *= self.shrink_TD[-1]
            last_KD[keys] = sum_TD

    def _add_by_block(
        self, keys: IntArray, runs: Runs, place_B: IntArray, sum_BD: FloatArray, last_KD: FloatArray
    ) -> None:
        """Terms become sums, in place: `BLOCK` rows of each key at a time."""
        for key in keys.tolist():
            begin, count = runs.starts[key], int(runs.counts[key])
            rows = runs.order[begin : begin + count]
            phase = int(place_B[rows[0]])
            alone = len(runs.slots) == 1
            sum_LD = sum_BD if alone else sum_BD[rows]
            base_D = last_KD[key]
            for start in range(-phase, count, BLOCK):
                block = sum_LD[max(start, 0) : start + BLOCK]
                block[0] += base_D
                np.add.accumulate(block, axis=0, out=block)
                base_D = block[-1] * self.shrink_TD[-1]
            if not alone:
                sum_BD[rows] = sum_LD
            last_KD[key] = base_D if (phase + count) % BLOCK == 0 else sum_LD[-1]
