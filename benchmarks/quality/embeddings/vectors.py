"""Vectors of every row of a stream: what is probed, and the peers that stand beside ours.

T = rows of a machine, K = machines, C = channels, F = features, D = size of a vector,
R = rows of the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.embeddings.fleet import Fleet
from benchmarks.quality.embeddings.windows import WINDOW, block_means, standardised
from benchmarks.quality.quarantine import moving_average
from benchmarks.quality.statistics import CHUNK, QuantileGate, RunningGaussian, lagged
from streamssl.data.events import Float32Array, FloatArray

NUM_COMPONENTS = 64
FIT_SHARE = 0.25
_FIT_STEP = 2
_YOUNG_ROWS = 64
_LAGGED_VALUES = 100
_MOST_RESIDUAL = 15.0
_SPANS = (8, 16)


@dataclass(frozen=True, slots=True)
class Vectors:
    """One vector a row.

    Attributes:
        name: What its rows are called in the report.
        values_TKD: `[T, K, D]` float32.
        slices: (name, first column, the one after the last) of parts that are probed by
            themselves as well.
    """

    name: str
    values_TKD: Float32Array
    slices: tuple[tuple[str, int, int], ...] = ()

    def parts(self) -> Iterator[tuple[str, Float32Array]]:
        """The whole vector, then each named slice."""
        yield self.name, self.values_TKD
        for name, start, stop in self.slices:
            yield f"{self.name}, {name}", self.values_TKD[..., start:stop]


def pca(fleet: Fleet) -> Vectors:
    """64 principal components of the block means, fitted on the first quarter of the rows."""
    values_TKD, _ = _components(fleet)
    return Vectors("PCA-64", values_TKD)


def whitened_pca(fleet: Fleet) -> Vectors:
    """The same, each component in its own deviations."""
    values_TKD, deviation_D = _components(fleet)
    return Vectors("PCA-64, whitened", (values_TKD / deviation_D).astype(np.float32))


def raw_window(fleet: Fleet) -> Vectors:
    """The last 32 standardised rows themselves, zeros before the first."""
    z_TKC = standardised(fleet.values_TKC)
    padded = np.concatenate([np.zeros((WINDOW - 1, *z_TKC.shape[1:]), np.float32), z_TKC])
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=0)
    num_rows, num_machines, _ = z_TKC.shape
    return Vectors("raw window", windows.reshape(num_rows, num_machines, -1))


def core_residual(fleet: Fleet) -> Vectors:
    """What each channel's newest value has that lagged rows do not explain, smoothed.

    u_c = (P z)_c / sqrt(P_cc), with P of a gated Gaussian of about 100 lagged values of all
    machines; then moving averages of u (span 8) and |u| (span 16).
    """
    z_TKC = standardised(fleet.values_TKC)
    u_TKC = _residuals(z_TKC)
    num_channels = z_TKC.shape[2]
    parts = [
        moving_average(x_TKC.reshape(len(u_TKC), -1), span).reshape(u_TKC.shape)
        for x_TKC, span in zip((u_TKC, np.abs(u_TKC)), _SPANS, strict=True)
    ]
    values_TKD = np.concatenate(parts, axis=2).astype(np.float32)
    slices = (("signed", 0, num_channels), ("size", num_channels, 2 * num_channels))
    return Vectors("core's residual, smoothed", values_TKD, slices)


def noise(fleet: Fleet) -> Vectors:
    """The floor: vectors that know nothing."""
    shape = (*fleet.values_TKC.shape[:2], NUM_COMPONENTS)
    rng = np.random.default_rng(0)
    return Vectors("random", rng.standard_normal(shape, dtype=np.float32))


def _components(fleet: Fleet) -> tuple[Float32Array, FloatArray]:
    """`[T, K, D]` principal components of the block means, and their deviations at the fit."""
    b_TKF = block_means(standardised(fleet.values_TKC))
    fit_RF = b_TKF[WINDOW : int(FIT_SHARE * len(b_TKF)) : _FIT_STEP].reshape(-1, b_TKF.shape[2])
    mean_F = fit_RF.mean(axis=0, dtype=np.float64)
    centred_RF = fit_RF - mean_F
    variance_F, vector_FF = np.linalg.eigh(centred_RF.T @ centred_RF / len(fit_RF))
    vector_FD = vector_FF[:, ::-1][:, :NUM_COMPONENTS]
    deviation_D = np.sqrt(np.maximum(variance_F[::-1][:NUM_COMPONENTS], 1e-6 * variance_F[-1]))
    return ((b_TKF - mean_F) @ vector_FD).astype(np.float32), deviation_D


def _residuals(z_TKC: Float32Array) -> FloatArray:
    """`[T, K, C]` u, each 32 rows by what was learnt of those before."""
    num_rows, num_machines, num_channels = z_TKC.shape
    num_lags = max(1, _LAGGED_VALUES // num_channels)
    x_KTF = np.stack([lagged(z_TKC[:, k].astype(float), num_lags) for k in range(num_machines)])
    gaussian, gate = RunningGaussian(ridge=0.01), QuantileGate()
    u_TKC = np.zeros(z_TKC.shape)
    for start in range(0, num_rows, CHUNK):
        x_BF = x_KTF[:, start : start + CHUNK].reshape(-1, x_KTF.shape[2])
        score_B = gaussian.score(x_BF)
        if start:
            u_BC = gaussian.pulls(x_BF)[:, -num_channels:].reshape(num_machines, -1, num_channels)
            bounded = np.clip(u_BC, -_MOST_RESIDUAL, _MOST_RESIDUAL)
            u_TKC[start : start + CHUNK] = np.moveaxis(bounded, 0, 1)
        gaussian.learn(x_BF if start < _YOUNG_ROWS else x_BF[gate.admit(score_B)])
    return u_TKC


PEER_VECTORS: Mapping[str, Callable[[Fleet], Vectors]] = {
    "raw window": raw_window,
    "PCA-64": pca,
    "PCA-64, whitened": whitened_pca,
    "core's residual, smoothed": core_residual,
    "random": noise,
}
