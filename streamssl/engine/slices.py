"""Arithmetic on slices: cutting them at an offset, counting and fingerprinting their input."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import crc32c
import pyarrow as pa

from streamssl.data.events import Message, Range, Slice


def cut(piece: Slice, offset: int) -> tuple[Slice, Slice]:
    """The part of a slice below `offset`, and the rest; only the first keeps `missed`."""
    offset = min(max(offset, piece.start), piece.stop)
    if isinstance(piece.payload, pa.RecordBatch):
        row = offset - piece.start
        head, rest = piece.payload.slice(0, row), piece.payload.slice(row)
    else:
        place = bisect_left(piece.payload, offset, key=lambda message: message.offset)
        head, rest = piece.payload[:place], piece.payload[place:]
    return (
        replace(piece, stop=offset, payload=head),
        replace(piece, start=offset, payload=rest, missed=None),
    )


def offset_after(piece: Slice, num_messages: int) -> int:
    """The offset below which the slice has at most `num_messages` messages."""
    if num_messages >= len(piece.payload):
        return piece.stop
    if isinstance(piece.payload, pa.RecordBatch):
        return piece.start + num_messages
    return piece.payload[num_messages].offset


def without(piece: Slice, offsets: frozenset[int]) -> Slice:
    """The slice without the messages at `offsets`."""
    if not offsets or isinstance(piece.payload, pa.RecordBatch):
        return piece
    return replace(piece, payload=[m for m in piece.payload if m.offset not in offsets])


def messages_of(piece: Slice) -> list[Message]:
    """The slice's messages (a file's rows are not messages)."""
    return [] if isinstance(piece.payload, pa.RecordBatch) else piece.payload


def range_of(pieces: Sequence[Slice]) -> Range:
    """What was taken from one partition, however it was cut into slices."""
    num_messages = sum(len(piece.payload) for piece in pieces)
    rows = [piece.payload for piece in pieces if isinstance(piece.payload, pa.RecordBatch)]
    checksum = _crc32c_of_rows(rows) if rows else _crc32c_of_messages(pieces)
    return Range(pieces[0].partition, pieces[0].start, pieces[-1].stop, num_messages, checksum)


def _crc32c_of_messages(pieces: Sequence[Slice]) -> int:
    values = (message.value or b"" for piece in pieces for message in messages_of(piece))
    return int(crc32c.crc32c(b"".join(values)))


def _crc32c_of_rows(rows: Sequence[pa.RecordBatch]) -> int:
    # Arrow's stream format truncates buffers to the rows, so that the cut leaves no trace.
    return int(crc32c.crc32c(pa.concat_batches(rows).serialize()))
