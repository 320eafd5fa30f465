"""What the toy's core sees of an event, and what it measured of it.

B = events, C = numbers, K = texts, V = kinds of evidence.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from streamssl.data.columns import Columns
from streamssl.data.events import FloatArray, IntArray
from streamssl.scorers.base import Measured

NUM_CODES = 256


@dataclass(frozen=True, slots=True)
class ToyContext(Columns):
    """Events in their context.

    Attributes:
        slot_B: Slot of each event's key.
        age_B: Events of the key before this one.
        values_BC: The numbers as they came, NaN = missing.
        mean_BC, scale_BC: Of the key's numbers, in learnt epochs.
        codes_BK: Hashed texts, 0 = missing.
    """

    slot_B: IntArray
    age_B: IntArray
    values_BC: FloatArray
    mean_BC: FloatArray
    scale_BC: FloatArray
    codes_BK: IntArray

    def standardised(self) -> FloatArray:
        """`[B, C]` z within +-20; 0 where missing."""
        z_BC = (self.values_BC - self.mean_BC) / self.scale_BC
        return np.clip(np.nan_to_num(z_BC, nan=0.0, posinf=20.0, neginf=-20.0), -20.0, 20.0)


@dataclass(frozen=True, slots=True)
class ToyMeasured(Measured):
    """What the toy's core measured: the norm of all evidence, then that of each part.

    A part's evidence is log(1 + z^2) of a number, -log p(code) of a text.
    """

    values_BC: FloatArray
    mean_BC: FloatArray
    codes_BK: IntArray

    def part_scores(self) -> FloatArray:
        """`[B, P]` the evidence of each part."""
        return self.evidence_BV[:, 1:]


def codes_of(texts: pa.RecordBatch) -> IntArray:
    """`[B, K]` each text's hash in 1 .. 255, 0 where it is missing."""
    return np.stack([_codes(column) for column in texts.columns], axis=1)


def _codes(column: pa.StringArray) -> IntArray:
    encoded = column.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = [1 + zlib.crc32(name.encode()) % (NUM_CODES - 1) for name in names]
    places = encoded.indices.fill_null(len(codes)).to_numpy(zero_copy_only=False)
    return np.array([*codes, 0], np.int64)[places]
