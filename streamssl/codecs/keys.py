"""Keys of events: the records' own, and the bound of all.

B = events.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamssl.codecs.dead_letters import Fault
from streamssl.codecs.rows import Faults, is_good
from streamssl.config.sections import InputConfig
from streamssl.data.events import Message

_NO_KEY = pa.scalar(None, pa.utf8())
_UNCHECKED_TEXT = pc.CastOptions(target_type=pa.utf8(), allow_invalid_utf8=True)


def record_keys(messages: Sequence[Message], config: InputConfig) -> tuple[pa.StringArray, Faults]:
    """The records' own keys as text (no key, or one that is no text: the empty string)."""
    raw = pa.array([message.key for message in messages], pa.binary())
    try:
        texts, faults = raw.cast(pa.utf8()), Faults()
    except pa.ArrowInvalid:
        texts, faults = _texts_of(raw)
    if texts.null_count:
        texts = texts.fill_null("")
    return texts, faults | long_keys(raw, config)


def long_keys(keys: pa.Array, config: InputConfig) -> Faults:
    """Faults of the keys beyond `max_key_bytes`."""
    length_B = pc.fill_null(pc.binary_length(keys), 0).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(length_B > config.max_key_bytes)
    return {row: key_length_fault(int(length_B[row]), config) for row in rows.tolist()}


def key_length_fault(num_bytes: int, config: InputConfig) -> Fault:
    """The fault of a key beyond its limit."""
    return Fault(
        "bad_key",
        f"{num_bytes} bytes, at most {config.max_key_bytes} are read (input.max_key_bytes)",
    )


def _texts_of(raw: pa.BinaryArray) -> tuple[pa.StringArray, Faults]:
    """Those that are text, of keys that are not all: only what is not ASCII is looked at."""
    texts = raw.cast(options=_UNCHECKED_TEXT)
    is_ascii = pc.fill_null(pc.string_is_ascii(texts), True).to_numpy(zero_copy_only=False)
    faults: Faults = {}
    for row in np.flatnonzero(~is_ascii).tolist():
        try:
            raw[row].as_py().decode()
        except UnicodeDecodeError as error:
            faults[row] = Fault("bad_key", f"not UTF-8 at byte {error.start}")
    return pc.if_else(pa.array(is_good(faults, len(raw))), texts, _NO_KEY), faults
