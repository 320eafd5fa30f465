"""VUS-PR: volume under the precision-recall surface, with TSB-AD's definition and defaults.

Labels are widened by every buffer from 0 to `window` rows (each row beyond a segment counts
less the farther it is); for each buffer the average precision of the widened labels is taken,
with recall weighted by the share of segments found; their mean is the volume.

N = rows, T = thresholds, W = buffers.

Reference: Paparrizos et al., "Volume Under the Surface" (VLDB 2022); Liu and Paparrizos, "The
Elephant in the Room: Towards a Reliable Time-Series Anomaly Detection Benchmark" (2024).
"""

from __future__ import annotations

import numpy as np

from streamssl.data.events import FloatArray, IntArray

NUM_THRESHOLDS = 250
DEFAULT_PERIOD = 125
_MAX_ROWS, _MAX_LAG, _MIN_LAG, _MAX_PEAK = 20_000, 400, 3, 300


def find_period(values: FloatArray) -> int:
    """Lag of the highest autocorrelation peak of one channel; 125 where there is none.

    Example:
        >>> find_period(np.sin(np.arange(2_000) * 2 * np.pi / 50))
        50
    """
    correlation = _autocorrelation(values[:_MAX_ROWS])[_MIN_LAG:]
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner > correlation[:-2]) & (inner > correlation[2:]))
    if not len(peaks):
        return DEFAULT_PERIOD
    best = int(peaks[np.argmax(correlation[peaks])])
    return best + _MIN_LAG if _MIN_LAG <= best <= _MAX_PEAK else DEFAULT_PERIOD


def _autocorrelation(values: FloatArray) -> FloatArray:
    """Biased autocorrelation at lags 0..400 (fewer for short series), by FFT."""
    num_lags = min(_MAX_LAG + 1, len(values))
    centred = values - values.mean() if len(values) else values
    if not np.any(np.abs(centred) > 1e-12):
        return np.zeros(num_lags)
    spectrum = np.fft.rfft(centred, 1 << int(2 * len(values) - 1).bit_length())
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[:num_lags]
    return np.asarray(covariance / covariance[0])


def vus_pr(scores: FloatArray, label: IntArray, window: int) -> float:
    """Mean range-based average precision over the buffers 0..window.

    Args:
        scores: `[N]`, higher is more anomalous.
        label: `[N]` 0 or 1, with at least one 1.
        window: Widest buffer; TSB-AD takes the period of the first channel.
    """
    start_S, stop_S = segments(label)
    threshold_T = -np.sort(-scores)[np.linspace(0, len(scores) - 1, NUM_THRESHOLDS).astype(int)]
    bin_N = np.searchsorted(-threshold_T, -scores, side="left")
    num_predicted_T = np.cumsum(np.bincount(bin_N, minlength=NUM_THRESHOLDS)[:NUM_THRESHOLDS])
    inside_T = np.cumsum(_binned(bin_N[label == 1], np.ones(int(label.sum()))))
    precisions = []
    for buffer in range(window + 1):
        rows, weight = _margins(start_S, stop_S, label, buffer)
        margin_T = np.cumsum(_binned(bin_N[rows], weight))
        found_T = _share_found(scores, threshold_T, start_S, stop_S, buffer)
        true_T = inside_T + margin_T
        recall_T = np.minimum(true_T / (label.sum() + margin_T / 2), 1.0) * found_T
        steps_T = np.diff(recall_T, prepend=0.0)
        precisions.append(float(steps_T @ (true_T / num_predicted_T)))
    return float(np.mean(precisions))


def segments(label: IntArray) -> tuple[IntArray, IntArray]:
    """First row, and row after the last, of each run of labelled rows.

    Example:
        >>> segments(np.array([0, 1, 1, 0, 1]))
        (array([1, 4]), array([3, 5]))
    """
    edges = np.diff(label.astype(np.int64), prepend=0, append=0)
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def _binned(bins: IntArray, weight: FloatArray) -> FloatArray:
    return np.bincount(bins, weight, minlength=NUM_THRESHOLDS)[:NUM_THRESHOLDS].astype(np.float64)


def _margins(
    start_S: IntArray, stop_S: IntArray, label: IntArray, buffer: int
) -> tuple[IntArray, FloatArray]:
    """Unlabelled rows within half a buffer of a segment, and their weights in (0, 1]."""
    distance = np.arange(1, buffer // 2 + 1)
    if not len(distance):
        return np.empty(0, np.int64), np.empty(0)
    rows = np.concatenate(
        [(stop_S[:, None] - 1 + distance).ravel(), (start_S[:, None] - distance).ravel()]
    )
    weight = np.tile(np.sqrt(1.0 - distance / buffer), 2 * len(start_S))
    inside = (rows >= 0) & (rows < len(label))
    rows, weight = rows[inside], weight[inside]
    total_N = np.bincount(rows, weight, minlength=len(label))
    margin = np.flatnonzero((total_N > 0) & (label == 0))
    return margin, np.minimum(total_N[margin], 1.0)


def _share_found(
    scores: FloatArray, threshold_T: FloatArray, start_S: IntArray, stop_S: IntArray, buffer: int
) -> FloatArray:
    """Share of the widened (and, where they touch, joined) segments with a row at a threshold."""
    half = buffer // 2
    gap = start_S[1:] - half > stop_S[:-1] - 1 + half
    first = np.maximum(start_S[np.append(True, gap)] - half, 0)
    after = np.minimum(stop_S[np.append(gap, True)] + half, len(scores))
    bounds = np.stack([first, after], axis=1).ravel()
    # reduceat takes a bound at the very end only where a row follows it.
    padded = np.append(scores, -np.inf)
    highest_S = np.maximum.reduceat(padded, bounds)[::2]
    found_T = np.searchsorted(np.sort(-highest_S), -threshold_T, side="right")
    return np.asarray(found_T / len(first))
