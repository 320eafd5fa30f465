"""Recurrences over many keys at once: the k-th events of all keys advance together.

K = keys, B = events, D = values.
"""

from __future__ import annotations

import numpy as np

from streamssl.events import FloatArray
from streamssl.keys import Runs


def ema_scan(
    runs: Runs, start_KD: FloatArray, x_BD: FloatArray, weight_BD: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Exponential moving averages h <- h + weight (x - h) along each key's events.

    Only element-wise arithmetic in the order of events: cutting the batch changes no bit.

    Args:
        runs: How the batch's rows fall to keys.
        start_KD: Averages before the batch, in the order of `runs.slots`.
        x_BD: Values, in the batch's order.
        weight_BD: Weight of each value, or `[1, D]` where it is the same for all rows.

    Returns:
        `[B, D]` averages after each event, and `[K, D]` after the last one of each key.
    """
    x = x_BD[runs.rank_major]
    weight = weight_BD if len(weight_BD) == 1 else weight_BD[runs.rank_major]
    out, state, step = np.empty_like(x), start_KD[runs.by_count], np.empty_like(start_KD)
    begin = 0
    for width in runs.widths:
        end = begin + width
        delta, head = step[:width], state[:width]
        np.subtract(x[begin:end], head, out=delta)
        delta *= weight if len(weight) == 1 else weight[begin:end]
        head += delta
        out[begin:end] = head
        begin = end
    average_BD = np.empty_like(out)
    average_BD[runs.rank_major] = out
    last_KD = np.empty_like(state)
    last_KD[runs.by_count] = state
    return average_BD, last_KD
