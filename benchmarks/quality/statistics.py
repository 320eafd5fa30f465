"""Running Gaussian statistics behind a gate: what the statistical peers are made of.

N = rows of a series, B = rows of one chunk, F = features.
"""

from __future__ import annotations

import numpy as np

from streamssl.data.events import BoolArray, FloatArray

CHUNK = 32
NUM_FIRST = 400
_MAX_DEVIATIONS = 20.0
_JITTER = 1e-6


class RunningGaussian:
    """Mean and covariance of all rows learnt, as a Mahalanobis distance per feature.

    Args:
        ridge: Added to the diagonal of the correlation matrix.
    """

    def __init__(self, ridge: float = 0.01) -> None:
        self.ridge = ridge
        self.num_learnt = 0

    def learn(self, rows_BF: FloatArray) -> None:
        """Take in rows, each with the same weight as every row before it."""
        if not len(rows_BF):
            return
        if not self.num_learnt:
            self.mean_F = np.zeros(rows_BF.shape[1])
            self.covariance_FF = np.zeros((rows_BF.shape[1], rows_BF.shape[1]))
        self.num_learnt += len(rows_BF)
        share = len(rows_BF) / self.num_learnt
        off_BF = rows_BF - self.mean_F
        shift_F = share * off_BF.mean(axis=0)
        second_FF = off_BF.T @ off_BF / len(rows_BF)
        self.covariance_FF += share * (second_FF - self.covariance_FF) - np.outer(shift_F, shift_F)
        self.mean_F = self.mean_F + shift_F
        self._stale = True

    def score(self, rows_BF: FloatArray) -> FloatArray:
        """Root mean square of the whitened rows; 0 before anything was learnt."""
        if not self.num_learnt:
            return np.zeros(len(rows_BF))
        if self._stale:
            self._solve()
        deviation_BF = np.clip(
            (rows_BF - self.mean_F) * self._scale_F, -_MAX_DEVIATIONS, _MAX_DEVIATIONS
        )
        return np.asarray(np.sqrt(np.mean((deviation_BF @ self._whitening_FF) ** 2, axis=1)))

    def pulls(self, rows_BF: FloatArray) -> FloatArray:
        """`[B, F]` (P z)_f / sqrt(P_ff): each feature against all others, in deviations."""
        if self._stale:
            self._solve()
        deviation_BF = np.clip(
            (rows_BF - self.mean_F) * self._scale_F, -_MAX_DEVIATIONS, _MAX_DEVIATIONS
        )
        pull_BF = deviation_BF @ self._whitening_FF @ self._whitening_FF.T
        return np.asarray(pull_BF / np.linalg.norm(self._whitening_FF, axis=1))

    def _solve(self) -> None:
        self._stale = False
        variance_F = np.diag(self.covariance_FF)
        floor_F = 0.05 * np.maximum(np.abs(self.mean_F), 1.0)
        constant_F = variance_F < 1e-12
        self._scale_F = 1.0 / np.where(constant_F, floor_F, np.sqrt(np.maximum(variance_F, 1e-12)))
        correlation_FF = self.covariance_FF * np.outer(self._scale_F, self._scale_F)
        correlation_FF[np.diag_indices_from(correlation_FF)] += self.ridge + _JITTER
        self._whitening_FF = np.linalg.inv(np.linalg.cholesky(correlation_FF)).T


class QuantileGate:
    """Lets a row be learnt if its score is below a quantile of the learnt rows' scores.

    Args:
        quantile: Of the last 2,000 scores that were let through.
        leak: Chance of a row above it, so that a real change gets in at last.
    """

    def __init__(self, quantile: float = 0.9, leak: float = 0.01, seed: int = 0) -> None:
        self.quantile = quantile
        self.leak = leak
        self._rng = np.random.default_rng(seed)
        self._past = np.empty(0)

    def admit(self, score_B: FloatArray) -> BoolArray:
        """Which of the rows are learnt; their scores move the quantile."""
        admitted_B = np.ones(len(score_B), np.bool_)
        if len(self._past):
            threshold = np.quantile(self._past, self.quantile)
            admitted_B = (score_B <= threshold) | (self._rng.random(len(score_B)) < self.leak)
        self._past = np.append(self._past, score_B[admitted_B])[-2_000:]
        return admitted_B


def gated_pass(features_NF: FloatArray, ridge: float, seed: int) -> FloatArray:
    """Prequential scores: 32 rows are scored, then those that pass the gate are learnt.

    The first 400 rows all are: the distances of a young covariance say nothing yet.
    """
    gaussian, gate = RunningGaussian(ridge=ridge), QuantileGate(seed=seed)
    score_N = np.empty(len(features_NF))
    for start in range(0, len(features_NF), CHUNK):
        rows_BF = features_NF[start : start + CHUNK]
        score_B = gaussian.score(rows_BF)
        score_N[start : start + CHUNK] = score_B
        gaussian.learn(rows_BF if start < NUM_FIRST else rows_BF[gate.admit(score_B)])
    return score_N


def learnt_pass(features_NF: FloatArray, learnt_N: BoolArray, ridge: float) -> FloatArray:
    """Prequential scores: 32 rows are scored, then those of them in `learnt_N` are learnt."""
    gaussian = RunningGaussian(ridge=ridge)
    score_N = np.empty(len(features_NF))
    for start in range(0, len(features_NF), CHUNK):
        rows = slice(start, start + CHUNK)
        score_N[rows] = gaussian.score(features_NF[rows])
        gaussian.learn(features_NF[rows][learnt_N[rows]])
    return score_N


def lagged(values_NC: FloatArray, num_rows: int) -> FloatArray:
    """Each row with the `num_rows - 1` rows before it; the first row stands in for missing ones.

    Example:
        >>> lagged(np.array([[1.0], [2.0], [3.0]]), 2).tolist()
        [[1.0, 1.0], [1.0, 2.0], [2.0, 3.0]]
    """
    padded = np.concatenate([np.repeat(values_NC[:1], num_rows - 1, axis=0), values_NC])
    windows = np.lib.stride_tricks.sliding_window_view(padded, num_rows, axis=0)
    return np.moveaxis(windows, 2, 1).reshape(len(values_NC), -1)
