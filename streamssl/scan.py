"""Exponential moving averages over many keys at once; cutting the stream changes no bit.

The recurrence h <- h + rate (x - h) is a running sum of rate x / decay^t, scaled back by decay^t
with decay = 1 - rate. Sums are added up one event after another whatever the batch, and their base
moves every `BLOCK` events of a key (before the powers overflow), so no bit depends on the cut.

K = keys, B = events, L = places on a key's timeline, D = averaged values.
"""

from __future__ import annotations

import numpy as np

from streamssl.events import BoolArray, FloatArray, IntArray
from streamssl.keys import Runs

BLOCK = 16
LARGEST_RATE = 1.0 - 1e-9
MOST_VALUES = 4_000_000


class EmaScan:
    """Moving averages of D values, each with its own rate.

    The state of a key is the scaled sum `[D]`, and its phase: events since the sum's base moved.

    Args:
        rate_D: `[D]` weight of the newest value, in (0, 1].

    Example:
        >>> scan = EmaScan(np.array([0.5]))
        >>> runs = Runs(np.zeros(3, np.int64))
        >>> x, none = np.array([[4.0], [0.0], [0.0]]), np.zeros((3, 1), bool)
        >>> average, _ = scan.run(runs, np.zeros((1, 1)), np.zeros(1, np.int64), x, none)
        >>> average.ravel()
        array([2. , 1. , 0.5])
    """

    def __init__(self, rate_D: FloatArray) -> None:
        self.rate_D = np.minimum(rate_D, LARGEST_RATE)
        self.shrink_TD = (1.0 - self.rate_D) ** np.arange(1, BLOCK + 1)[:, None]

    def run(
        self,
        runs: Runs,
        sum_KD: FloatArray,
        phase_K: IntArray,
        x_BD: FloatArray,
        first_BD: BoolArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Averages after each event, and each key's sum after its last one.

        Args:
            runs: How the batch's rows fall to keys.
            sum_KD: Sums before the batch, in the order of `runs.slots` (0 for a new key).
            phase_K: Events of the key before the batch, modulo `BLOCK`.
            x_BD: Values, finite.
            first_BD: Where an average begins: it takes the value itself.

        Returns:
            `[B, D]` averages, and `[K, D]` sums.
        """
        place_B = phase_K[runs.group] + runs.rank
        length = -(-int(place_B.max(initial=-1) + 1) // BLOCK) * BLOCK
        if length > BLOCK and len(sum_KD) * length * sum_KD.shape[1] > MOST_VALUES:
            middle = length // 2 // BLOCK * BLOCK
            return self._halves(runs, place_B < middle, sum_KD, phase_K, x_BD, first_BD)
        shrink_BD = self.shrink_TD[place_B % BLOCK]
        sums_KLD = np.zeros((len(sum_KD), length, x_BD.shape[1]))
        sums_KLD[runs.group, place_B] = np.where(first_BD, x_BD, self.rate_D * x_BD) / shrink_BD
        for begin in range(0, length, BLOCK):
            sums_KLD[:, begin] += sum_KD
            block = sums_KLD[:, begin : begin + BLOCK]
            np.cumsum(block, axis=1, out=block)
            sum_KD = block[:, -1] * self.shrink_TD[-1]
        average_BD = sums_KLD[runs.group, place_B] * shrink_BD
        end_K = phase_K + runs.counts - 1
        last_KD = sums_KLD[np.arange(len(end_K)), end_K]
        last_KD[(end_K + 1) % BLOCK == 0] *= self.shrink_TD[-1]
        return average_BD, last_KD

    def _halves(
        self,
        runs: Runs,
        early_B: BoolArray,
        sum_KD: FloatArray,
        phase_K: IntArray,
        x_BD: FloatArray,
        first_BD: BoolArray,
    ) -> tuple[FloatArray, FloatArray]:
        """The same in two steps, where one key has many more rows than the others."""
        average_BD, last_KD = np.empty_like(x_BD), sum_KD.copy()
        phase_K = phase_K.copy()
        for half_B in (early_B, ~early_B):
            part = Runs(runs.group[half_B])
            keys = part.slots
            average_BD[half_B], last_KD[keys] = self.run(
                part, last_KD[keys], phase_K[keys], x_BD[half_B], first_BD[half_B]
            )
            phase_K[keys] = (phase_K[keys] + part.counts) % BLOCK
        return average_BD, last_KD
