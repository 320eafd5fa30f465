"""Parquet: columns with types of their own, in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from streamssl.data.arrow_types import NESTED, flattened, is_nested
from streamssl.transport.files.rows import InputFileError, unique_names

MAX_CELLS = 1 << 21


class ParquetReader:
    """One pass over a Parquet file.

    Args:
        path: The file.

    Raises:
        InputFileError: Not a Parquet file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise InputFileError(f"{path} is no Parquet file: {error}") from error
        self.fraction = 0.0
        self.notes: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in order.

        Raises:
            InputFileError: The file is damaged.
        """
        num_rows = max(self._file.metadata.num_rows, 1)
        num_columns = max(self._file.metadata.num_columns, 1)
        done = 0
        try:
            for batch in self._file.iter_batches(max(MAX_CELLS // num_columns, 1)):
                done += batch.num_rows
                self.fraction = done / num_rows
                yield self._named(flattened(batch))
        except (pa.ArrowException, OSError) as error:
            raise InputFileError(f"{self._path} cannot be read to its end: {error}") from error

    def _named(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows with names that differ, and without dictionaries, which differ by batch."""
        names = unique_names(rows.schema.names)
        pairs = zip(names, rows.schema.names, strict=True)
        self.notes = tuple(
            f"column {name!r}, of which there are several or which has no name of its own, is "
            f"{own!r}"
            for own, name in pairs
            if own != name
        )
        columns = [_plain(column) for column in rows.columns]
        fields = [
            pa.field(name, column.type, metadata={NESTED: "1"} if is_nested(field) else None)
            for name, column, field in zip(names, columns, rows.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _plain(column: pa.Array) -> pa.Array:
    # Batches may have different dictionaries; plain columns can be joined.
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
