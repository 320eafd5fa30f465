"""Parquet: columns with types of their own, in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

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
        names = unique_names(self._file.schema_arrow.names)
        done = 0
        try:
            for batch in self._file.iter_batches(max(MAX_CELLS // max(len(names), 1), 1)):
                done += batch.num_rows
                self.fraction = done / num_rows
                yield pa.RecordBatch.from_arrays([_plain(c) for c in batch.columns], names=names)
        except (pa.ArrowException, OSError) as error:
            raise InputFileError(f"{self._path} cannot be read to its end: {error}") from error


def _plain(column: pa.Array) -> pa.Array:
    # Batches may have different dictionaries; plain columns can be joined.
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
