"""Arithmetic on slices: cutting them at an offset, counting and fingerprinting their input."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace

import crc32c
import pyarrow as pa

from streamssl.data.events import Message, Range, Slice


def head(piece: Slice, stop: int) -> Slice:
    """The part of a slice below the offset `stop`."""
    if stop >= piece.stop:
        return piece
    stop = max(stop, piece.start)
    return replace(piece, stop=stop, payload=piece.payload[: _num_below(piece, stop)])


def rest(piece: Slice, start: int) -> Slice:
    """The part of a slice from the offset `start` on; what it missed lies before that."""
    if start <= piece.start:
        return replace(piece, missed=None)
    start = min(start, piece.stop)
    payload = piece.payload[_num_below(piece, start) :]
    return replace(piece, start=start, payload=payload, missed=None)


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


def one_by_one(piece: Slice) -> Iterator[Slice]:
    """The slice's messages, each in a slice of its own."""
    left = piece
    while left.payload:
        yield head(left, offset_after(left, 1))
        left = rest(left, offset_after(left, 1))


def _num_below(piece: Slice, offset: int) -> int:
    if isinstance(piece.payload, pa.RecordBatch):
        return offset - piece.start
    return bisect_left(piece.payload, offset, key=lambda message: message.offset)


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
