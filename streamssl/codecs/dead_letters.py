"""Why an input could not be read, and the one record schema of the dead letter topic."""

from __future__ import annotations

from typing import NamedTuple

from streamssl.data.events import DeadLetter, Headers, OutputRecord
from streamssl.data.times import TIMES_READ

REASONS = (
    "empty",  # no value (a tombstone)
    "too_large",  # message, rows or decoded size beyond the limits
    "too_deep",  # nested deeper than the parser goes
    "bad_json",  # not JSON
    "bad_csv",  # not a line of CSV in UTF-8
    "bad_arrow",  # not an Arrow IPC stream or file
    "wrong_type",  # a field, or the message itself, is of another type
    "missing_field",  # a field that must be there is absent or null
    "wrong_count",  # an array with another count of values than the stream's
    "not_finite",  # infinite, or beyond the range of float32
    "bad_time",  # neither a count since 1970 nor ISO 8601
    "bad_key",  # not UTF-8, or longer than `max_key_bytes`
    "poison",  # the process died three times at this message
)
# Longer keys and values are cut there, and the header `truncated` says so.
MAX_KEY_BYTES = 65_536
MAX_VALUE_BYTES = 900_000
MAX_DETAIL_CHARS = 200
MAX_NAMES_SHOWN = 5
MAX_CELL_CHARS = 80


class Fault(NamedTuple):
    """One of `REASONS`, what exactly was wrong, and what mends it where the reason does not say."""

    reason: str
    detail: str
    remedy: str = ""


def bad_time_fault(name: str, cell: object, wanted: str = TIMES_READ) -> Fault:
    """The fault of a time that is none, or not within the years 1 to 9999.

    Args:
        name: Of the field or column.
        cell: What it holds.
        wanted: What would be a time.
    """
    told = "null" if cell is None else repr(str(cell))[:MAX_CELL_CHARS]
    return Fault("bad_time", f"{name!r} holds {told}, not {wanted}")


class UnreadableError(Exception):
    """A whole message cannot be read; decoders catch it at their door.

    Attributes:
        fault: Why.
    """

    def __init__(self, reason: str, detail: str, remedy: str = "") -> None:
        """Take the reason, the detail and the remedy of the fault."""
        super().__init__(f"{reason}: {detail}")
        self.fault = Fault(reason, detail, remedy)


class OriginalBytesEncoder:
    """Dead letters to records: the original key and value, the reason and origin in headers.

    Args:
        topic: Input topic that the letters come from.
    """

    def __init__(self, *, topic: str) -> None:
        self._topic = topic.encode()

    def encode(self, letters: tuple[DeadLetter, ...]) -> list[OutputRecord]:
        """One record a dead letter, in their order."""
        return [self._record(letter) for letter in letters]

    def _record(self, letter: DeadLetter) -> OutputRecord:
        key, value = letter.message.key, letter.message.value
        cut_key = key[:MAX_KEY_BYTES] if key is not None else None
        cut_value = value[:MAX_VALUE_BYTES] if value is not None else None
        cut = [
            name
            for name, before, after in (("key", key, cut_key), ("value", value, cut_value))
            if before is not None and after is not None and len(before) > len(after)
        ]
        return OutputRecord("dlq", cut_key, cut_value, self._headers(letter, ",".join(cut)))

    def _headers(self, letter: DeadLetter, truncated: str) -> Headers:
        index = -1 if letter.index is None else letter.index
        return (
            ("reason", letter.reason.encode()),
            ("detail", letter.detail[:MAX_DETAIL_CHARS].encode(errors="replace")),
            ("origin_topic", self._topic),
            ("origin_partition", b"%d" % letter.message.partition),
            ("origin_offset", b"%d" % letter.message.offset),
            ("origin_index", b"%d" % index),
            ("origin_timestamp_ms", b"%d" % letter.message.timestamp_ms),
            ("truncated", truncated.encode()),
        )
