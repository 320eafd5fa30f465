"""One score of several: a weighted mean of their logarithms, where some weights grow.

B = events, S = scorers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.scorers.base import SMALLEST, Measurement, Scorer, Seen


class FusionWeights:
    """Weights of the scorers, those of some growing with the rows that a key has learnt.

    A scorer of share w has w times its `maturity`; what is missing to 1 goes to those that do not
    grow, in proportion. So a score changes no faster than a key learns.

    Args:
        scorers: In the order of their columns.
        weight_S: As configured; they are scaled to add up to 1. Some that does not grow is above 0.
    """

    def __init__(self, scorers: Sequence[Scorer], weight_S: FloatArray) -> None:
        self.share_S = weight_S / max(weight_S.sum(), 1e-300)
        grows_S = np.array([scorer.grows for scorer in scorers]) & (self.share_S > 0.0)
        self._growing = np.flatnonzero(grows_S)
        self._settled_S = np.where(grows_S, 0.0, self.share_S) / self.share_S[~grows_S].sum()
        self._scorers = scorers

    def of(self, seen: Seen[Any], learnt_B: IntArray) -> FloatArray:
        """`[B, S]` weights for events whose keys have learnt so many rows; they add up to 1."""
        if not len(self._growing):
            return np.broadcast_to(self.share_S, (len(learnt_B), len(self.share_S)))
        rest_B, grown = np.ones(len(learnt_B)), {}
        for s in self._growing.tolist():
            grown[s] = self.share_S[s] * self._scorers[s].maturity(seen, learnt_B)
            rest_B -= grown[s]
        weight_BS = rest_B[:, None] * self._settled_S
        for s, weight_B in grown.items():
            weight_BS[:, s] = weight_B
        return weight_BS


def fused(scores_BS: FloatArray, weight_BS: FloatArray) -> FloatArray:
    """`[B]` exp(sum_s w_s ln max(r_s, .001)).

    Example:
        >>> fused(np.array([[1.0, 100.0]]), np.array([[0.5, 0.5]])).round(3).tolist()
        [10.0]
    """
    logs_BS = np.log(np.maximum(scores_BS, SMALLEST))
    total_B = np.zeros(len(scores_BS))
    for s in range(scores_BS.shape[1]):  # One after another: a row's bits are its own.
        total_B += weight_BS[:, s] * logs_BS[:, s]
    return np.exp(total_B)


def judged(
    measurement: Measurement[Any],
    raw_B: FloatArray,
    scores_BS: FloatArray,
    weight_BS: FloatArray,
    of_core_S: BoolArray,
) -> FloatArray:
    """`[B]` the fused score, with the core's of a cleaned context where there is one.

    Args:
        measurement: What the core measured, of some rows again.
        raw_B: The fused score of the context as it came.
        scores_BS: The scorers' scores.
        weight_BS: Their weights.
        of_core_S: The core itself, and the windows' scorer: of windows none is cleaned, so that
            there the core speaks for them.
    """
    if measurement.again is None or not of_core_S.any():
        return raw_B
    rows, again = measurement.again
    judged_B, clean_RS = raw_B.copy(), scores_BS[rows]
    clean_RS[:, of_core_S] = again.raw[:, None]
    judged_B[rows] = fused(clean_RS, weight_BS[rows])
    return judged_B
