"""Generated series: a small suite for tests, and a level shift that never goes away.

N = rows, C = channels.
"""

from __future__ import annotations

import numpy as np

from benchmarks.quality.data import Series
from streamssl.data.events import Float32Array, FloatArray, IntArray

SHIFT_HISTORIES = (600, 3_000, 20_000)
_MAX_SHIFT_ROWS = 8_000
_SHIFT_DEVIATIONS = 8.0
_SPAN = 64
_REFERENCE_ROWS = 2_000
_QUANTILE = 0.99


def mini_suite(num_series: int = 2, num_rows: int = 1_800, seed: int = 0) -> list[Series]:
    """Correlated waves with level, shape and spike anomalies at known rows."""
    series = []
    for number in range(num_series):
        rng = np.random.default_rng((seed, number))
        values_NC = _waves(rng, num_rows, num_channels=4)
        label = np.zeros(num_rows, np.int64)
        for start in range(num_rows // 2, num_rows - 100, 200):
            _inject(rng, values_NC, label, start)
        series.append(_series("mini", f"mini-{number}", values_NC, label, num_warmup=400))
    return series


def level_shift(history: int, seed: int = 0) -> Series:
    """`history` normal rows, then half of the channels move by 8 deviations and stay there."""
    rng = np.random.default_rng((seed, history))
    num_rows = history + min(_MAX_SHIFT_ROWS, 2_000 + history // 2)
    values_NC = _waves(rng, num_rows, num_channels=4)
    values_NC[history:, :2] += _SHIFT_DEVIATIONS * values_NC[:history, :2].std(axis=0)
    label = (np.arange(len(values_NC)) >= history).astype(np.int64)
    return _series("shift", f"shift-after-{history}", values_NC, label, num_warmup=history)


def rows_until_accepted(scores: FloatArray, history: int) -> int | None:
    """Rows from the shift until the score is ordinary again; None where it never is.

    Ordinary: the median of 64 rows lies below the 99 % quantile of the (at most 2,000) scores
    right before the shift; the count ends at the last of the 64.
    """
    before = scores[max(history // 2, history - _REFERENCE_ROWS) : history]
    windows = np.lib.stride_tricks.sliding_window_view(scores[history:], _SPAN)
    ordinary = np.median(windows, axis=1) <= np.quantile(before, _QUANTILE)
    return int(np.argmax(ordinary)) + _SPAN if ordinary.any() else None


def _waves(rng: np.random.Generator, num_rows: int, num_channels: int) -> Float32Array:
    phase_C = rng.uniform(0, 2 * np.pi, num_channels)
    wave_NC = np.sin(2 * np.pi * np.arange(num_rows)[:, None] / 60 + phase_C)
    noise_NC = 0.2 * rng.standard_normal((num_rows, num_channels))
    return (wave_NC + noise_NC).astype(np.float32)


def _inject(rng: np.random.Generator, values_NC: Float32Array, label: IntArray, start: int) -> None:
    """One anomaly of a random kind, in one channel, 10 to 60 rows long."""
    rows = slice(start, start + int(rng.integers(10, 60)))
    channel = int(rng.integers(values_NC.shape[1]))
    kind = rng.integers(3)
    if kind == 0:
        values_NC[rows, channel] += 3.0
    elif kind == 1:
        values_NC[rows, channel] = values_NC[start, channel]
    else:
        values_NC[rows, channel] *= -2.0
    label[rows] = 1


def _series(
    set_name: str, name: str, values_NC: Float32Array, label: IntArray, num_warmup: int
) -> Series:
    return Series(
        set_name=set_name,
        name=name,
        time=np.arange(len(label), dtype=np.float64),
        fields=tuple(f"c{channel}" for channel in range(values_NC.shape[1])),
        values_NC=values_NC,
        label=label,
        use=(np.arange(len(label)) >= num_warmup).astype(np.int64),
    )
