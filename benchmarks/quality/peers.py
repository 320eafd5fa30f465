"""The peers: detectors that a new one has to beat, each one prequential pass in NumPy.

N = rows of a series, C = channels, F = features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from benchmarks.quality.quarantine import ordinary_rows
from benchmarks.quality.statistics import (
    NUM_FIRST,
    RunningGaussian,
    gated_pass,
    lagged,
    learnt_pass,
)
from streamssl.data.events import FloatArray

NUM_DIMENSIONS = 100


class Peer(Protocol):
    """A detector that is judged beside ours."""

    def score_one_pass(self, values: FloatArray) -> FloatArray:
        """`[N]` prequential scores of `[N, C]` values, higher is more anomalous."""


class Random:
    """The floor: scores that know nothing."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def score_one_pass(self, values: FloatArray) -> FloatArray:
        """`[N]` uniform scores in [0, 1), whatever the values."""
        return np.random.default_rng(self.seed).random(len(values))


class GatedMahalanobis:
    """The bar: gated Mahalanobis distance of about 100 dimensions of recent rows, ridge .01."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def score_one_pass(self, values: FloatArray) -> FloatArray:
        """`[N]` distances; `values` is `[N, C]` without missing values."""
        return gated_pass(_lags(values), ridge=0.01, seed=self.seed)


class FrozenMahalanobis:
    """A static reference: the same distance, learnt on the warm-up (which it is told), then never.

    Args:
        num_warmup: Rows of the warm-up; their own scores are not prequential and not counted.
    """

    def __init__(self, num_warmup: int = NUM_FIRST) -> None:
        self.num_warmup = num_warmup

    def score_one_pass(self, values: FloatArray) -> FloatArray:
        """`[N]` distances; `values` is `[N, C]` without missing values."""
        features_NF = _lags(values)
        gaussian = RunningGaussian(ridge=0.01)
        gaussian.learn(features_NF[: self.num_warmup])
        return gaussian.score(features_NF)


class PcaResidual:
    """What 16 principal components of the last 32 rows leave over, scored as a vector.

    Fitted once, on the warm-up (at most 1,000 rows of it). The residual of the last row and the
    mean residual of the window go through a Mahalanobis distance, ridge .1, that learns the rows
    which the slow gate calls ordinary. Rows before the fit score 0.

    Args:
        num_warmup: Rows of the warm-up.
    """

    num_components = 16
    window = 32

    def __init__(self, num_warmup: int = NUM_FIRST) -> None:
        self.num_fit = min(max(num_warmup, 2 * self.window), 1_000)

    def score_one_pass(self, values: FloatArray) -> FloatArray:
        """`[N]` distances; `values` is `[N, C]` without missing values."""
        windows_NF = lagged(self._standardised(values), self.window)
        windows_NF = windows_NF - windows_NF[: self.num_fit].mean(axis=0)
        components_KF = np.linalg.svd(windows_NF[: self.num_fit], full_matrices=False)[2]
        residual_NF = _residual(windows_NF, components_KF[: self.num_components], values.shape[1])
        score_N = learnt_pass(residual_NF, ordinary_rows(values), ridge=0.1)
        score_N[: self.num_fit] = 0.0
        return score_N

    def _standardised(self, values: FloatArray) -> FloatArray:
        """By the rows of the fit, squashed into ± 5."""
        first_NC = values[: self.num_fit]
        floor_C = 0.05 * np.maximum(np.abs(first_NC.mean(axis=0)), 1e-3)
        scale_C = np.maximum(first_NC.std(axis=0), floor_C)
        return np.asarray(5.0 * np.tanh((values - first_NC.mean(axis=0)) / scale_C / 5.0))


def _residual(windows_NF: FloatArray, components_KF: FloatArray, num_channels: int) -> FloatArray:
    """`[N, 2C]`: residual of the last row, and its mean over the window."""
    code_NK = windows_NF @ components_KF.T
    last_NC = windows_NF[:, -num_channels:] - code_NK @ components_KF[:, -num_channels:]
    mean_KC = components_KF.reshape(len(components_KF), -1, num_channels).mean(axis=1)
    mean_NC = windows_NF.reshape(len(windows_NF), -1, num_channels).mean(axis=1)
    return np.concatenate([last_NC, mean_NC - code_NK @ mean_KC], axis=1)


def _lags(values: FloatArray) -> FloatArray:
    return lagged(values, max(1, NUM_DIMENSIONS // values.shape[1]))


# By name: (seed, rows of the warm-up) -> a fresh detector.
PEERS: Mapping[str, Callable[[int, int], Peer]] = {
    "random": lambda seed, _: Random(seed=seed),
    "gated Mahalanobis, lagged": lambda seed, _: GatedMahalanobis(seed=seed),
    "frozen Mahalanobis, lagged": lambda _, num_warmup: FrozenMahalanobis(num_warmup=num_warmup),
    "PCA residual, 16 components": lambda _, num_warmup: PcaResidual(num_warmup=num_warmup),
}
