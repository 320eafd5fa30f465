"""The first rows of a key: an impossible reading among them is forgotten, not learnt for good.

While no deviation is known nothing bounds a value. When the first epoch of a key ends, its rows
themselves say what is impossible: from the first such row on they are not learnt, and the key goes
on as if the channel had been at its median.

B = events, T = rows of a key, C = channels.
"""

from __future__ import annotations

import numpy as np

from streamssl.data.events import BoolArray, FloatArray
from streamssl.data.keys import Runs
from streamssl.modalities.sensor.context import SensorContext
from streamssl.modalities.sensor.features import SensorMeasured
from streamssl.modalities.sensor.normaliser import BOUND, FIRST_ROWS
from streamssl.modalities.sensor.robust import first_level

# docs/research-log.md, "Constants of the arithmetic"
ENOUGH_ROWS = 8


def forget_impossible(context: SensorContext, measured: SensorMeasured) -> BoolArray:
    """`[B]` rows of young keys from an impossible reading on; their contexts forget the reading.

    Args:
        context: Of the keys, after the rows.
        measured: An epoch's rows.
    """
    spoiled_B = np.zeros(len(measured.slot_B), bool)
    if measured.age_B.min(initial=FIRST_ROWS) >= FIRST_ROWS:
        return spoiled_B
    runs = Runs(measured.slot_B)
    is_young_K = measured.age_B[runs.order[runs.starts]] < FIRST_ROWS
    for key in np.flatnonzero(is_young_K & (runs.counts >= ENOUGH_ROWS)).tolist():
        rows = runs.order[runs.starts[key] : runs.starts[key] + runs.counts[key]]
        level_C, room_C = _possible(measured.values_BC[rows])
        far_T = (np.abs(measured.values_BC[rows] - level_C) > room_C).any(1)
        if far_T.any():
            spoiled_B[rows[far_T.argmax() :]] = True
            context.settle(int(runs.slots[key]), level_C, room_C)
    return spoiled_B


def _possible(rows_TC: FloatArray) -> tuple[FloatArray, FloatArray]:
    """`[C]` medians, and how far off a value may be; a channel that hardly moves says nothing."""
    level_1C, scale_1C = first_level(rows_TC[None])
    return level_1C[0], np.where(scale_1C[0] > 0.0, BOUND * scale_1C[0], np.inf)
