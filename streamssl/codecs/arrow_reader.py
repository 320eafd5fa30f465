"""Arrow IPC bytes to one record batch, refusing before it is allocated what would be too big.

The layout of the metadata is that of `Message.fbs` in the Arrow columnar format
(https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import ipc

from streamssl.codecs.dead_letters import UnreadableError

_FILE_MAGIC = b"ARROW1\0\0"
_DICTIONARY, _RECORD_BATCH = 2, 3


def read_batch(value: bytes, *, max_rows: int, max_bytes: int) -> pa.RecordBatch:
    """All rows of an IPC stream or file, validated.

    Args:
        value: The message's bytes, compressed or not.
        max_rows: Most rows.
        max_bytes: Most bytes after decompression.

    Raises:
        UnreadableError: `too_large` or `bad_arrow`.
    """
    # A file is its magic bytes, a stream, and a footer that only random access needs.
    stream = value[len(_FILE_MAGIC) :] if value.startswith(_FILE_MAGIC) else value
    try:
        _check_size(stream, max_rows, max_bytes)
        with ipc.open_stream(pa.py_buffer(stream)) as reader:
            batches = list(reader)
            table = pa.Table.from_batches(batches, reader.schema)
        table.validate(full=True)
        return _one_batch(table)
    except (pa.ArrowException, OSError, EOFError, ValueError, struct.error) as error:
        raise UnreadableError("bad_arrow", str(error)) from None


def write_batch(batch: pa.RecordBatch) -> bytes:
    """A record batch as an IPC stream."""
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue().to_pybytes())


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.unify_dictionaries().combine_chunks().to_batches()
    if batches:
        return batches[0]
    return pa.RecordBatch.from_pylist([], schema=table.schema)


def _check_size(stream: bytes, max_rows: int, max_bytes: int) -> None:
    num_rows = num_bytes = 0
    for message in ipc.MessageReader.open_stream(pa.py_buffer(stream)):
        for rows, size in _sizes(memoryview(message.metadata), message.body):
            num_rows += rows
            num_bytes += size
    if num_rows > max_rows:
        raise UnreadableError(
            "too_large",
            f"{num_rows} rows, at most {max_rows} are read (input.max_events_per_message)",
        )
    if num_bytes > max_bytes:
        raise UnreadableError(
            "too_large", f"{num_bytes} bytes when decompressed, at most {max_bytes} are read"
        )


def _sizes(metadata: memoryview, body: pa.Buffer | None) -> Iterator[tuple[int, int]]:
    """(rows that count, decompressed bytes) of a message, if it holds columns."""
    message = _root(metadata)
    kind_at, header = _field(metadata, message, 1), _child(metadata, message, 2)
    kind = metadata[kind_at] if kind_at else 0
    if kind == _DICTIONARY and header:
        header = _child(metadata, header, 1)
    if kind not in (_DICTIONARY, _RECORD_BATCH) or not header:
        return
    length_at = _field(metadata, header, 0)
    rows = _int64(metadata, length_at) if length_at else 0
    compressed = _field(metadata, header, 3) is not None
    size = sum(_buffer_sizes(metadata, header, body if compressed else None))
    if rows < 0:
        raise UnreadableError("bad_arrow", f"a batch claims {rows} rows")
    yield (rows if kind == _RECORD_BATCH else 0), size


def _buffer_sizes(
    metadata: memoryview, header: int, compressed_body: pa.Buffer | None
) -> Iterator[int]:
    vector = _child(metadata, header, 2)
    if vector is None:
        return
    (count,) = struct.unpack_from("<I", metadata, vector)
    for at in range(vector + 4, vector + 4 + 16 * count, 16):
        offset, length = struct.unpack_from("<qq", metadata, at)
        if offset < 0 or length < 0:
            raise UnreadableError("bad_arrow", "a buffer has a negative position")
        if compressed_body is not None and length > 0:
            # Each buffer begins with its decompressed length, -1 where it is not compressed.
            length = max(length, _int64(memoryview(compressed_body), offset))
        yield length


def _root(data: memoryview) -> int:
    return int(struct.unpack_from("<I", data, 0)[0])


def _int64(data: memoryview, at: int) -> int:
    return int(struct.unpack_from("<q", data, at)[0])


def _field(data: memoryview, table: int, slot: int) -> int | None:
    """Where the field `slot` of a flatbuffer table lies, None if it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    (size,) = struct.unpack_from("<H", data, vtable)
    if 4 + 2 * slot >= size:
        return None
    (offset,) = struct.unpack_from("<H", data, vtable + 4 + 2 * slot)
    return table + offset if offset else None


def _child(data: memoryview, table: int, slot: int) -> int | None:
    """Where the table or vector that the field `slot` points to lies, None if it is absent."""
    at = _field(data, table, slot)
    return None if at is None else at + int(struct.unpack_from("<I", data, at)[0])
