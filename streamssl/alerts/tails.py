"""The histograms of the keys that an epoch meets, and how their tails fall: frozen inside an epoch.

B = events, K = keys, N = bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamssl.arithmetic.histogram import NUM_BINS, Above, log_position
from streamssl.data.columns import Columns
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns

# docs/research-log.md, "Constants of the arithmetic"
POOL_SCORES = 64.0
PRIOR_SCORES = 32.0
TAIL_SCORES = 32.0
TAIL_SHARES = (0.001, 0.01)
SPREAD = 5.0
SMALLEST_COUNT = 1e-4


@dataclass(frozen=True, slots=True)
class Tails(Columns):
    """How the p-values of some keys fall where scores are rare.

    Attributes:
        share_K: q, share of the scores that the tail holds.
        place_K: t, place (in bins) above which that share lies.
        scale_K: s, bins over which p falls by e: (t - t_5) / ln 5, t_5 the place of 5 q.
        prior_weight_K: w = exp(-n / 32), n the scores counted: what the prior p-value weighs.
    """

    share_K: FloatArray
    place_K: FloatArray
    scale_K: FloatArray
    prior_weight_K: FloatArray


class EpochTails:
    """Histograms and tails of the keys met since the epoch began, each computed once.

    Args:
        columns: Every key's `scores` (a histogram) and `seen` (how many were added).
    """

    def __init__(self, columns: KeyColumns) -> None:
        self._columns = columns
        self.forget()

    def forget(self) -> None:
        """The histograms have changed: compute everything anew when it is asked for."""
        self._version = self._columns.version
        self._slots = np.zeros(0, np.int64)  # ascending
        self._rows = np.zeros(0, np.int64)  # of the tables, of each of `_slots`
        self._above: Above | None = None
        self._tails: Tails | None = None

    def p_value(
        self, slots_K: IntArray, group_B: IntArray, raw_B: FloatArray, pool_N: FloatArray
    ) -> FloatArray:
        """`[B]` p = (1 - w) p_histogram + w / (1 + raw^2).

        In the tail p_histogram = q exp(-(x - t) / s) with x the score's place; elsewhere it is the
        share of the histogram above the score.

        Args:
            slots_K: Slots of the batch's keys.
            group_B: Which of them each score belongs to.
            raw_B: The scores.
            pool_N: Histogram of all keys together.
        """
        row_B = self._rows_of(slots_K, pool_N)[group_B]
        assert self._above is not None
        assert self._tails is not None
        above, tail = self._above, self._tails.take(row_B)
        position_B = log_position(raw_B)
        bin_B = np.minimum(position_B.astype(np.int64), NUM_BINS - 1)
        into_B = np.minimum(position_B - bin_B, 1.0)
        here_B, next_B = above.around(row_B, bin_B)
        inside_B = (here_B - into_B * (here_B - next_B)) / above.total_K[row_B]
        excess_B = np.maximum(position_B - tail.place_K, 0.0)
        tail_B = tail.share_K * np.exp(-excess_B / tail.scale_K)
        histogram_B = np.where(excess_B > 0.0, tail_B, inside_B)
        weight_B = tail.prior_weight_K
        return (1.0 - weight_B) * histogram_B + weight_B / (1.0 + raw_B * raw_B)

    def _rows_of(self, slots_K: IntArray, pool_N: FloatArray) -> IntArray:
        """`[K]` rows of the tables, which hold all of `slots_K` afterwards."""
        if self._version != self._columns.version:
            self.forget()
        missing_K = slots_K[~np.isin(slots_K, self._slots, assume_unique=True)]
        if len(missing_K) or self._above is None:
            self._add(missing_K, pool_N)
        return self._rows[np.searchsorted(self._slots, slots_K)]

    def _add(self, slots_K: IntArray, pool_N: FloatArray) -> None:
        pool_factor_K = POOL_SCORES * np.exp(-self._columns["seen"][slots_K] / POOL_SCORES)
        counts_KN: Float32Array = self._columns["scores"][slots_K]
        share_N = pool_N / max(pool_N.sum(), 1.0)
        above = Above(counts_KN, share_N, pool_factor_K, every=SMALLEST_COUNT)
        tails = tails_of(above)
        self._above = above if self._above is None else Above.joined(self._above, above)
        self._tails = tails if self._tails is None else Tails.concat([self._tails, tails])
        slots = np.concatenate([self._slots[np.argsort(self._rows)], slots_K])
        self._rows = np.argsort(slots, kind="stable")
        self._slots = slots[self._rows]


def tails_of(above: Above) -> Tails:
    """The tails of histograms without empty bins: q = clip(32 / n, .001, .01)."""
    share_K = np.clip(TAIL_SCORES / above.total_K, *TAIL_SHARES)
    place_K, wider_K = _place_above(above, share_K), _place_above(above, SPREAD * share_K)
    return Tails(
        share_K=share_K,
        place_K=place_K,
        scale_K=np.maximum(place_K - wider_K, 1.0) / np.log(SPREAD),
        prior_weight_K=np.exp((NUM_BINS * SMALLEST_COUNT - above.total_K) / PRIOR_SCORES),
    )


def _place_above(above: Above, share_K: FloatArray) -> FloatArray:
    """`[K]` place, in bins, above which each share of the scores lies."""
    wanted_K = share_K * above.total_K
    bin_K = above.bin_under(wanted_K)
    here_K, next_K = above.around(np.arange(len(share_K)), bin_K)
    return bin_K + (here_K - wanted_K) / (here_K - next_K)
