"""Which reader and writer a file name's suffix stands for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from streamssl.transport.files.csv_reader import CsvReader
from streamssl.transport.files.json_reader import JsonLinesReader
from streamssl.transport.files.parquet_reader import ParquetReader
from streamssl.transport.files.rows import InputFileError, Reader
from streamssl.transport.files.writers import CsvWriter, ParquetWriter, TableWriter

READERS: Mapping[str, type[CsvReader | JsonLinesReader | ParquetReader]] = {
    ".csv": CsvReader,
    ".tsv": CsvReader,
    ".txt": CsvReader,
    ".parquet": ParquetReader,
    ".pq": ParquetReader,
    ".jsonl": JsonLinesReader,
    ".ndjson": JsonLinesReader,
    ".json": JsonLinesReader,
}
WRITERS: Mapping[str, type[CsvWriter | ParquetWriter]] = {
    ".csv": CsvWriter,
    ".parquet": ParquetWriter,
    ".pq": ParquetWriter,
}


def open_reader(path: Path) -> Reader:
    """A reader for one pass over a file.

    Raises:
        InputFileError: No such file, or no known suffix.
    """
    if not path.is_file():
        raise InputFileError(f"{path}: no such file")
    text = path.with_suffix("") if path.suffix == ".gz" else path
    reader = READERS.get(text.suffix.lower())
    if reader is None or (reader is ParquetReader and path.suffix == ".gz"):
        raise InputFileError(
            f"{path}: cannot tell the format by the suffix; known are {', '.join(READERS)}, "
            "and .gz after the text formats"
        )
    return reader(path)


def open_writer(path: Path, schema: pa.Schema) -> TableWriter:
    """A writer for a file that appears under its name when it is complete.

    Raises:
        InputFileError: No such folder, or no known suffix.
    """
    check_output(path)
    return WRITERS[path.suffix.lower()](path, schema)


def check_output(path: Path) -> None:
    """Refuse a name that cannot be written.

    Raises:
        InputFileError: No such folder, or no known suffix.
    """
    if path.suffix.lower() not in WRITERS:
        raise InputFileError(f"{path}: write to one of {', '.join(WRITERS)}")
    if not path.parent.is_dir():
        raise InputFileError(f"{path.parent}: no such folder; make it first")
