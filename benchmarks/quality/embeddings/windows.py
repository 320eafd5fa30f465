"""What the peers see of a stream: rows in their machine's own units, and means over blocks.

T = rows of a machine, K = machines, C = channels, S = blocks of a window, F = machines' channels.
"""

from __future__ import annotations

import numpy as np

from benchmarks.quality.detectors import carried_forward
from benchmarks.quality.statistics import CHUNK
from streamssl.data.events import Float32Array, FloatArray

WINDOW = 32
BLOCKS = (4, 4, 4, 4, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1)
_YOUNG_ROWS, _BOUND, _SOFT = 64, 4.0, 5.0


def standardised(values_TKC: Float32Array) -> Float32Array:
    """`[T, K, C]` 5 tanh(z / 5), z in deviations of the machine's past rows.

    Every 32 rows the statistics take in the last 32, each reading within four deviations of what
    they were (the first 64 as they come). Missing values are the last one seen.
    """
    num_rows, *shape = values_TKC.shape
    x_NF = carried_forward(values_TKC.reshape(num_rows, -1))
    z_NF = np.zeros_like(x_NF)
    mean_F, variance_F = np.zeros(x_NF.shape[1]), np.ones(x_NF.shape[1])
    for start in range(0, num_rows, CHUNK):
        x_BF = x_NF[start : start + CHUNK]
        scale_F = _deviation(mean_F, variance_F)
        if start:
            z_NF[start : start + CHUNK] = (x_BF - mean_F) / scale_F
        if start >= _YOUNG_ROWS:
            x_BF = np.clip(x_BF, mean_F - _BOUND * scale_F, mean_F + _BOUND * scale_F)
        share = len(x_BF) / (start + len(x_BF))
        step_F = x_BF.mean(axis=0) - mean_F
        variance_F = (1 - share) * (variance_F + share * step_F**2) + share * x_BF.var(axis=0)
        mean_F = mean_F + share * step_F
    return (_SOFT * np.tanh(z_NF / _SOFT)).reshape(num_rows, *shape).astype(np.float32)


def block_means(z_TKC: Float32Array) -> Float32Array:
    """`[T, K, S * C]` means over blocks of the last 32 rows, shorter towards the newest."""
    num_rows, num_machines, _ = z_TKC.shape
    padded = np.concatenate([np.zeros((WINDOW + 1, *z_TKC.shape[1:])), z_TKC])
    total, stop = np.cumsum(padded, axis=0), np.cumsum(BLOCKS) - WINDOW
    last_T = np.arange(num_rows) + WINDOW + 1
    means = [
        (total[last_T + end] - total[last_T + end - size]) / size
        for size, end in zip(BLOCKS, stop.tolist(), strict=True)
    ]
    return np.stack(means, axis=2).reshape(num_rows, num_machines, -1).astype(np.float32)


def _deviation(mean_F: FloatArray, variance_F: FloatArray) -> FloatArray:
    """Deviation; of a channel that never moved a twentieth of its level, at least of 1."""
    floor_F = 0.05 * np.maximum(np.abs(mean_F), 1.0)
    return np.where(variance_F < 1e-12, floor_F, np.sqrt(np.maximum(variance_F, 1e-12)))
