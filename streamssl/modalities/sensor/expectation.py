"""What a row's readings far off would have been: what everything else says of them.

C = channels.
"""

from __future__ import annotations

import numpy as np

from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.modalities.sensor.features import FAR_OFF
from streamssl.scorers.gaussian_bank import CLIP, GaussianBank


def expected_row(
    bank: GaussianBank,
    entry: int,
    x_C: Float32Array,
    units_C: tuple[FloatArray, FloatArray],
    pull_C: FloatArray,
    has_token_C: BoolArray,
) -> tuple[IntArray, FloatArray]:
    """Channels of one row that are cleaned, and their expected values.

    Args:
        bank: Of lagged rows, the newest last.
        entry: The row's.
        x_C: The row's values.
        units_C: Center and scale that the bank's values are standardised by.
        pull_C: v = P z at the newest values.
        has_token_C: Channels that may be cleaned.
    """
    (center_C, scale_C), newest = units_C, slice(-len(x_C), None)
    whiten_CF = bank.whiten_EFF[entry, newest].astype(np.float64)
    steps_C, paid = expected_steps(pull_C, whiten_CF @ whiten_CF.T, has_token_C)
    mean_C = bank.mean_EF[entry, newest]
    inverse_C = bank.inverse_scale_EF[entry, newest].astype(np.float64)
    z_C = ((x_C - center_C) / scale_C - mean_C) * inverse_C
    z_C = np.clip(np.nan_to_num(z_C, nan=0.0), -CLIP, CLIP)
    expected_C = center_C + scale_C * (mean_C + (z_C - steps_C) / inverse_C)
    return paid, expected_C[paid]


def expected_steps(
    pull_C: FloatArray, precision_CC: FloatArray, has_token_C: BoolArray
) -> tuple[FloatArray, IntArray]:
    """`[C]` how far cleaned channels move back, 0 for others; and the channels that pay.

    Again and again the channel that stands out the most is replaced by what the others say:
    j = argmax |v_j| / sqrt(P_jj), d_j = v_j / P_jj, v <- v - P_j d_j, until none is 6 or more.
    """
    pull_C, steps_C = pull_C.copy(), np.zeros(len(pull_C))
    root_C = np.sqrt(np.maximum(np.diagonal(precision_CC), 1e-30))
    free_C, paid = np.ones(len(pull_C), bool), []
    for _ in range(len(pull_C)):
        size_C = np.where(free_C, np.abs(pull_C) / root_C, 0.0)
        channel = int(size_C.argmax())
        if size_C[channel] < FAR_OFF:
            break
        step = pull_C[channel] / precision_CC[channel, channel]
        pull_C -= precision_CC[channel] * step
        free_C[channel] = False
        if has_token_C[channel]:
            steps_C[channel] = step
            paid.append(channel)
    return steps_C, np.array(paid, np.int64)
