"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import abc
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from streamssl.data.events import StreamsslError

ROWS_PER_GROUP = 65_536
BYTES_PER_GROUP = 64 * 2**20


class OutputFileError(StreamsslError):
    """An output could not be written to its end: the disk is full, say."""

    exit_code = 1


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell what the system refuses as an error of that file.

    Raises:
        OutputFileError: Of any `OSError` of the body.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputFileError(
            f"{path} cannot be written: {reason}; free space or name another place"
        ) from error


class DraftFile:
    """An open file under a temporary name beside its own.

    Args:
        path: The name that it will have.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        self.stream = self._draft.open("wb")

    def publish(self) -> None:
        """Close it and give it its name."""
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self.stream.close()
        self._draft.replace(self._path)

    def discard(self) -> None:
        """Remove it; what was there under its name stays."""
        with contextlib.suppress(OSError):  # What waits to be written is not wanted any more.
            self.stream.close()
        self._draft.unlink(missing_ok=True)


class TableWriter(abc.ABC):
    """Tables to a file, one after another.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._file = DraftFile(path)

    @abc.abstractmethod
    def write(self, table: pa.Table) -> None:
        """Append the rows of a table with the file's columns."""

    def publish(self) -> None:
        """Finish the file and give it its name."""
        self._finish()
        self._file.publish()

    def discard(self) -> None:
        """Close and remove the draft; what was there under its name stays."""
        with contextlib.suppress(OSError):
            self._finish()
        self._file.discard()

    @abc.abstractmethod
    def _finish(self) -> None:
        """Write what the format has at its end."""


class CsvWriter(TableWriter):
    """CSV with one header line; nulls are empty, text is quoted where needed.

    Maps and lists are JSON texts.

    Args:
        path: The file.
        schema: Its columns.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path)
        self._file.stream.write(_header(schema.names))
        options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed")
        self._nested = [at for at, kind in enumerate(schema.types) if pa.types.is_nested(kind)]
        for at in self._nested:
            schema = schema.set(at, schema.field(at).with_type(pa.string()))
        self._writer = arrow_csv.CSVWriter(self._file.stream, schema, write_options=options)

    def write(self, table: pa.Table) -> None:
        """Write a table's rows to the draft."""
        for at in self._nested:
            table = table.set_column(at, table.field(at).name, json_texts(table.column(at)))
        self._writer.write_table(table)

    def _finish(self) -> None:
        self._writer.close()


class JsonLinesWriter(TableWriter):
    """JSON Lines: one object a row, whose maps are objects; what is null stands as null.

    Args:
        path: The file.
        schema: Its columns.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:  # noqa: ARG002 - the writers' own
        super().__init__(path)
        self._encode = msgspec.json.Encoder().encode_lines

    def write(self, table: pa.Table) -> None:
        """Write a table's rows to the draft."""
        self._file.stream.write(self._encode(table.to_pylist(maps_as_pydicts="strict")))

    def _finish(self) -> None:
        """Lines need no end."""


class ParquetWriter(TableWriter):
    """Parquet with row groups of a useful size, however small the tables are.

    Args:
        path: The file.
        schema: Its columns.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path)
        # A dictionary of figures that hardly repeat costs time and saves nothing.
        repeated = [column.name for column in schema if pa.types.is_string(column.type)]
        self._writer = pq.ParquetWriter(self._file.stream, schema, use_dictionary=repeated)
        self._waiting: list[pa.Table] = []
        self._num_rows = self._num_bytes = 0  # of those waiting

    def write(self, table: pa.Table) -> None:
        """Collect a table's rows, and write them once they fill a row group."""
        self._waiting.append(table)
        self._num_rows += len(table)
        self._num_bytes += table.nbytes
        if self._num_rows >= ROWS_PER_GROUP or self._num_bytes >= BYTES_PER_GROUP:
            self._write_group()

    def publish(self) -> None:
        """Finish the file and give it its name."""
        self._write_group()
        super().publish()

    def _finish(self) -> None:
        self._writer.close()

    def _write_group(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting).combine_chunks())
            self._waiting.clear()
            self._num_rows = self._num_bytes = 0


def json_texts(column: pa.ChunkedArray) -> pa.Array:
    """Maps and lists as JSON texts, null where null."""
    rows = column.is_valid().to_numpy().nonzero()[0]
    texts = pa.array(
        [
            msgspec.json.encode(cell).decode()
            for cell in column.take(pa.array(rows)).to_pylist(maps_as_pydicts="strict")
        ],
        pa.string(),
    )
    place = np.full(len(column), -1)
    place[rows] = np.arange(len(rows))
    return texts.take(pa.array(place, mask=place < 0))


def _header(names: list[str]) -> bytes:
    # Arrow would put every name into quotes.
    cells = [f'"{n}"' if set(n) & set(',"\r\n') else n for n in names]
    return (",".join(cells) + "\n").encode()
