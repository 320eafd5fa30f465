"""What decoders share: which fields are channels, and how times, keys and sizes are read.

Faults are collected per row: the first one that is found for a row is its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamssl.codecs.dead_letters import Fault
from streamssl.config.sections import InputConfig
from streamssl.data.events import (
    BoolArray,
    EventBatch,
    FloatArray,
    IntArray,
    Message,
    StreamsslError,
)

Faults = dict[int, Fault]
MILLISECONDS_ABOVE = 1e11
MAX_AUTO_FIELDS = 4_096
_NO_KEY = pa.scalar(None, pa.utf8())
_UNCHECKED_TEXT = pc.CastOptions(target_type=pa.utf8(), allow_invalid_utf8=True)
_YEAR_1, _YEAR_10000 = -62_135_596_800.0, 253_402_300_800.0


class FieldNamesError(StreamsslError):
    """The configured field names contradict one another."""

    exit_code = 2


def check_names(fields: Sequence[str], config: InputConfig) -> tuple[str, ...]:
    """The channel names, each of them once and none of them the time or the key.

    Raises:
        FieldNamesError: A name has two meanings.
    """
    special = [name for name in (config.time_field, config.key_field) if name is not None]
    names = [*fields, *special, *([config.values_field] if config.values_field else [])]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FieldNamesError(
            f"field {twice[0]!r} has two meanings; name it once among modality.fields, "
            "input.time_field, input.key_field and input.values_field"
        )
    return tuple(fields)


def channel_names(names: Iterable[str], config: InputConfig) -> tuple[str, ...]:
    """Of the numeric fields `names`, those that are channels under `fields: auto`."""
    special = {config.time_field, config.key_field}
    return tuple(
        name
        for name in names
        if name not in special
        and not any(fnmatchcase(name, pattern) for pattern in config.ignore_fields)
    )


def array_names(values_field: str, num_channels: int) -> tuple[str, ...]:
    """Names of the channels of one array field under `fields: auto`.

    Example:
        >>> array_names("values", 2)
        ('values[0]', 'values[1]')
    """
    return tuple(f"{values_field}[{i}]" for i in range(num_channels))


def size_fault(message: Message, config: InputConfig) -> Fault | None:
    """Why a message is not even looked into: it is empty or too large."""
    if not message.value:
        return Fault("empty", "the message has no value")
    if len(message.value) > config.max_message_bytes:
        return Fault(
            "too_large",
            f"{len(message.value)} bytes, at most {config.max_message_bytes} are read "
            "(input.max_message_bytes)",
        )
    return None


def size_faults(messages: Sequence[Message], config: InputConfig) -> Faults:
    """The same for many messages."""
    length_B = np.array([len(message.value or b"") for message in messages], np.int64)
    rows = np.flatnonzero((length_B == 0) | (length_B > config.max_message_bytes)).tolist()
    return {row: fault for row in rows if (fault := size_fault(messages[row], config))}


def epoch_seconds(numbers_B: FloatArray) -> FloatArray:
    """Seconds since 1970 from seconds, or from milliseconds where beyond 1e11 in size.

    Example:
        >>> epoch_seconds(np.array([1.7e9, 1.7e12])).tolist()
        [1700000000.0, 1700000000.0]
    """
    return np.where(np.abs(numbers_B) > MILLISECONDS_ABOVE, numbers_B / 1e3, numbers_B)


def iso_seconds(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 time (UTC where it names no zone), NaN if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def parse_times(values: Sequence[float | str]) -> FloatArray:
    """Seconds since 1970 from numbers and ISO 8601 texts; NaN where a text is no time."""
    if str not in set(map(type, values)):
        return epoch_seconds(np.array(values, np.float64))
    texts = np.array([iso_seconds(v) if isinstance(v, str) else np.nan for v in values])
    numbers = np.array([np.nan if isinstance(v, str) else v for v in values])
    return np.where(np.isnan(numbers), texts, epoch_seconds(numbers))


def bad_times(time_B: FloatArray) -> BoolArray:
    """True where a time is not within the years 1 to 9999 (NaN is not)."""
    return ~((time_B >= _YEAR_1) & (time_B < _YEAR_10000))


def bad_time_fault() -> Fault:
    """The fault of such a time."""
    return Fault("bad_time", "neither seconds or milliseconds since 1970 nor ISO 8601")


def key_length_fault(num_bytes: int, config: InputConfig) -> Fault:
    """The fault of a key beyond its limit."""
    return Fault(
        "bad_key",
        f"{num_bytes} bytes, at most {config.max_key_bytes} are read (input.max_key_bytes)",
    )


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
    return pc.if_else(pa.array(_is_good(faults, len(raw))), texts, _NO_KEY), faults


def rows_without(faults: Faults, num_rows: int) -> IntArray:
    """Rows that have no fault, in order."""
    return np.flatnonzero(_is_good(faults, num_rows))


def _is_good(faults: Faults, num_rows: int) -> BoolArray:
    good_B = np.ones(num_rows, np.bool_)
    good_B[list(faults)] = False
    return good_B


def empty_batch(topic: str, fields: tuple[str, ...]) -> EventBatch:
    """A batch of no events."""
    nothing = np.empty(0, np.int64)
    return EventBatch(
        topic,
        nothing,
        nothing,
        nothing,
        pa.array([], pa.utf8()),
        np.empty(0),
        fields,
        np.empty((0, len(fields)), np.float32),
    )
