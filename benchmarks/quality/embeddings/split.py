"""Which rows teach a probe and which judge it, and targets that owe nothing to any model.

T = rows of a machine, K = machines, C = channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamssl.data.events import Float32Array, FloatArray, IntArray

AHEAD = (1, 10, 50)
_FIRST_SHARE, _SPLIT_SHARE = 0.25, 0.65
_STEP = 10
_TARGET_CLIP = 5.0
_FLOOR = 0.05


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of the probes: every tenth, and none of a training target lies among the test rows.

    Attributes:
        train: From a quarter of the stream on, to .65 of it.
        test: From 50 rows later on, to 50 before the end.
    """

    train: IntArray
    test: IntArray

    @classmethod
    def of(cls, num_rows: int) -> Split:
        """The split of a stream of so many rows a machine."""
        split = int(_SPLIT_SHARE * num_rows)
        return cls(
            train=np.arange(int(_FIRST_SHARE * num_rows), split, _STEP),
            test=np.arange(split + max(AHEAD), num_rows - max(AHEAD), _STEP),
        )


def neutral_targets(values_TKC: Float32Array) -> FloatArray:
    """`[T, K, C]` readings in units that owe nothing to a model, within five deviations.

    Of each machine's training rows: their mean, and their deviation, at least a twentieth of that
    of all rows up to the split.
    """
    num_rows = len(values_TKC)
    first, split = int(_FIRST_SHARE * num_rows), int(_SPLIT_SHARE * num_rows)
    x_TKC = values_TKC.astype(np.float64)
    floor_KC = _FLOOR * np.maximum(np.nanstd(x_TKC[:split], axis=0), 1e-6)
    scale_KC = np.maximum(np.nanstd(x_TKC[first:split], axis=0), floor_KC)
    z_TKC = (x_TKC - np.nanmean(x_TKC[first:split], axis=0)) / scale_KC
    return np.clip(np.nan_to_num(z_TKC), -_TARGET_CLIP, _TARGET_CLIP)
