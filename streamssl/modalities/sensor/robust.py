"""A first look at a channel: level, scale and usual change of its first rows, whatever else is in.

F = keys, T = rows, C = channels. Rows that are NaN are left out.
"""

from __future__ import annotations

import numpy as np

from streamssl.data.events import FloatArray

# docs/research-log.md, "Constants of the arithmetic"
KNOWN_ROWS = 32  # values of a channel before it is judged
STEP_CAP = 8.0  # usual changes that one change counts for at most


def first_level(rows_FTC: FloatArray) -> tuple[FloatArray, FloatArray]:
    """`[F, C]` median, and robust deviation max(1.4826 MAD, (q90 - q10) / 2.563); 0 of nothing."""
    median_FC = quantile(rows_FTC, 0.5)
    away_FTC = np.abs(rows_FTC - median_FC[:, None])
    spread_FC = (quantile(rows_FTC, 0.9) - quantile(rows_FTC, 0.1)) / 2.563
    scale_FC = np.maximum(1.4826 * quantile(away_FTC, 0.5), spread_FC)
    return np.nan_to_num(median_FC), np.nan_to_num(scale_FC)


def first_step(rows_FTC: FloatArray) -> FloatArray:
    """`[F, C]` mean change from row to row, of changes up to eight times their median."""
    moves_FTC = np.abs(np.diff(rows_FTC, axis=1))
    middle_FC = quantile(moves_FTC, 0.5)
    bound_FC = np.where(middle_FC > 0.0, STEP_CAP * middle_FC, np.inf)
    valid_FTC = ~np.isnan(moves_FTC)
    bounded_FTC = np.where(valid_FTC, np.minimum(moves_FTC, bound_FC[:, None]), 0.0)
    step_FC: FloatArray = bounded_FTC.sum(1) / np.maximum(valid_FTC.sum(1), 1)
    return step_FC


def quantile(rows_FTC: FloatArray, q: float) -> FloatArray:
    """`[F, C]` lower q-quantile; NaN of nothing."""
    ordered = np.sort(rows_FTC, axis=1)
    count_FC = (~np.isnan(rows_FTC)).sum(1)
    place_FC = np.floor(q * np.maximum(count_FC - 1, 0)).astype(np.int64)
    return np.take_along_axis(ordered, place_FC[:, None], axis=1)[:, 0]
