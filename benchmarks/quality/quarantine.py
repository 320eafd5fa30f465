"""The slow gate: which rows are ordinary, judged on smoothed rows, with a capped quarantine.

N = rows of a series, C = channels, B = rows of one chunk.
"""

from __future__ import annotations

import numpy as np

from benchmarks.quality.statistics import CHUNK, NUM_FIRST, RunningGaussian, lagged
from streamssl.data.events import BoolArray, FloatArray

_SPANS = (64, 16)
_NUM_DIMENSIONS = 50
_QUANTILE = 0.85
_MEMORY = 20_000
_RATE, _MANY = 1 / 32, 0.5
_LEAST, _SHARE, _MOST = 500, 0.2, 3_000


def ordinary_rows(values_NC: FloatArray) -> BoolArray:
    """`[N]` True where a detector that learns in chunks of 32 may learn the row.

    The gate that the product has: rows up to the .85 quantile of a gated Mahalanobis distance over
    [average of span 64, of span 16, last rows]. When half of the last 32 or so rows lie above it
    nothing is learnt, until that has lasted max(500, a fifth of the learnt rows) events, at most
    3,000; then everything is, until the rows are ordinary again.
    """
    num_lags = max(1, _NUM_DIMENSIONS // values_NC.shape[1])
    averages = [moving_average(values_NC, span) for span in _SPANS]
    features_NF = np.concatenate([*averages, lagged(values_NC, num_lags)], axis=1)
    gaussian, gate = RunningGaussian(ridge=0.3), _Quarantine()
    learnt_N = np.zeros(len(values_NC), np.bool_)
    for start in range(0, len(values_NC), CHUNK):
        rows_BF = features_NF[start : start + CHUNK]
        learnt_B = gate.admit(gaussian.score(rows_BF))
        gaussian.learn(rows_BF[learnt_B])
        learnt_N[start : start + CHUNK] = learnt_B
    return learnt_N


class _Quarantine:
    """State of the gate between chunks."""

    def __init__(self) -> None:
        self._past = np.empty(0)
        self._over = 0.0
        self._count = 0
        self._num_learnt = 0

    def admit(self, score_B: FloatArray) -> BoolArray:
        """Which rows of the chunk are learnt."""
        if self._num_learnt < NUM_FIRST:
            self._num_learnt += len(score_B)
            self._past = np.append(self._past, score_B)
            return np.ones(len(score_B), np.bool_)
        above_B = score_B > np.quantile(self._past, _QUANTILE)
        quarantined_B, accepted_B = self._walk(above_B)
        self._past = np.append(self._past, score_B[~quarantined_B])[-_MEMORY:]
        learnt_B = np.where(quarantined_B, accepted_B, ~above_B)
        self._num_learnt += int(learnt_B.sum())
        return learnt_B

    def _walk(self, above_B: BoolArray) -> tuple[BoolArray, BoolArray]:
        """Whether each row is in quarantine, and whether that has lasted long enough."""
        patience = min(max(_LEAST, _SHARE * self._num_learnt), _MOST)
        quarantined_B, accepted_B = np.zeros_like(above_B), np.zeros_like(above_B)
        for row, above in enumerate(above_B.tolist()):
            self._over += _RATE * (above - self._over)
            self._count = self._count + 1 if self._over >= _MANY else 0
            quarantined_B[row] = self._count > 0
            accepted_B[row] = self._count >= patience
        return quarantined_B, accepted_B


def moving_average(values_NC: FloatArray, span: int) -> FloatArray:
    """Exponential moving average that begins at the first row."""
    rate = 2.0 / (span + 1.0)
    average_NC = np.empty_like(values_NC)
    average_C = values_NC[0]
    for row, value_C in enumerate(values_NC):
        average_C = average_C + rate * (value_C - average_C)
        average_NC[row] = average_C
    return average_NC
