"""Messages between two processes: plain values as MessagePack, arrays as they lie in memory.

A frame is two lengths (8 bytes each), a header, and the arrays that the header names, each padded
to a multiple of 64 bytes.
"""

from __future__ import annotations

import socket
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Array = npt.NDArray[Any]
ALIGNMENT = 64
ARRAY, STRINGS, TABLE = 1, 2, 3
_STRINGS = pa.schema({"strings": pa.string()})
_PADDING = bytes(ALIGNMENT)


def send(connection: socket.socket, message: Any) -> None:
    """Send plain values, dataclasses, NumPy arrays, Arrow strings and record batches, nested.

    Raises:
        OSError: The other side is gone.
    """
    arrays = _Arrays()
    header = msgspec.msgpack.encode(message, enc_hook=arrays.note)
    sizes = np.array([len(header), arrays.num_bytes], "<u8")
    connection.sendall(sizes.tobytes() + header)
    for array in arrays.noted:
        if array.nbytes:
            connection.sendall(array.data.cast("B"))
            connection.sendall(_PADDING[: -array.nbytes % ALIGNMENT])


def receive(connection: socket.socket) -> Any:
    """The next message; its arrays share one buffer and may be written to.

    Raises:
        EOFError: The other side is gone.
    """
    header_bytes, array_bytes = _read(connection, 16).view("<u8").tolist()
    header, data = _read(connection, header_bytes), _read(connection, array_bytes)

    def restore(code: int, place: memoryview) -> Any:
        dtype, shape, start = msgspec.msgpack.decode(place)
        count = int(np.prod(shape, dtype=np.int64))
        array: Array = np.frombuffer(data, dtype, count, start).reshape(shape)
        if code == STRINGS:
            return pa.ipc.read_record_batch(pa.py_buffer(array), _STRINGS).column(0)
        if code == TABLE:
            return pa.ipc.open_stream(pa.py_buffer(array)).read_next_batch()
        return array

    return msgspec.msgpack.Decoder(ext_hook=restore).decode(header.data)


class _Arrays:
    """The arrays of a message, in the order in which they follow its header."""

    def __init__(self) -> None:
        self.noted: list[Array] = []
        self.num_bytes = 0

    def note(self, value: Any) -> Any:
        """What stands for `value` in the header."""
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, pa.StringArray):
            packed = pa.record_batch([value], schema=_STRINGS).serialize()
            return self._place(STRINGS, np.frombuffer(packed, np.uint8))
        if isinstance(value, pa.RecordBatch):
            return self._place(TABLE, np.frombuffer(_stream_of(value), np.uint8))
        return self._place(ARRAY, np.ascontiguousarray(value))

    def _place(self, code: int, array: Array) -> msgspec.msgpack.Ext:
        place = [array.dtype.str, list(array.shape), self.num_bytes]
        self.noted.append(array)
        self.num_bytes += array.nbytes + -array.nbytes % ALIGNMENT
        return msgspec.msgpack.Ext(code, msgspec.msgpack.encode(place))


def _stream_of(batch: pa.RecordBatch) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _read(connection: socket.socket, num_bytes: int) -> npt.NDArray[np.uint8]:
    buffer, done = np.empty(num_bytes, np.uint8), 0
    view = buffer.data
    while done < num_bytes:
        taken = connection.recv_into(view[done:])
        if taken == 0:
            raise EOFError("the other process is gone")
        done += taken
    return buffer
