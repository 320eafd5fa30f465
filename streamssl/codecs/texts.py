"""Text columns of events: their bound, and the rows that break it.

B = rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamssl.codecs.dead_letters import Fault
from streamssl.codecs.rows import Faults
from streamssl.data.events import IntArray

MAX_TEXT_BYTES = 1_024


def byte_lengths(texts: pa.StringArray) -> IntArray:
    """`[B]` bytes of each text, 0 where it is missing."""
    length = pc.fill_null(pc.binary_length(texts), 0)
    return np.asarray(length.to_numpy(zero_copy_only=False), np.int64)


def long_texts(name: str, length_B: IntArray) -> Faults:
    """Faults of the rows whose text in the field `name` is beyond `MAX_TEXT_BYTES`."""
    limit = f"at most {MAX_TEXT_BYTES} are read of a text"
    return {
        row: Fault("too_large", f"field {name!r} has {length_B[row]} bytes, {limit}")
        for row in np.flatnonzero(length_B > MAX_TEXT_BYTES).tolist()
    }


def missing_texts(name: str, texts: pa.StringArray) -> Faults:
    """Faults of the rows whose text is missing, where it must be there."""
    missing_B = pc.is_null(texts).to_numpy(zero_copy_only=False)
    fault = Fault("missing_field", f"field {name!r} is missing and every field is required")
    return dict.fromkeys(np.flatnonzero(missing_B).tolist(), fault)
