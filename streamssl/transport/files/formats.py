"""Which reader and writer a file name's suffix stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from streamssl.transport.files.csv_options import CsvOptions
from streamssl.transport.files.csv_reader import CsvReader
from streamssl.transport.files.json_reader import JsonLinesReader
from streamssl.transport.files.parquet_reader import ParquetReader
from streamssl.transport.files.rows import InputFileError, Reader
from streamssl.transport.files.writers import (
    CsvWriter,
    JsonLinesWriter,
    ParquetWriter,
    TableWriter,
)

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
WRITERS: Mapping[str, type[CsvWriter | ParquetWriter | JsonLinesWriter]] = {
    ".csv": CsvWriter,
    ".parquet": ParquetWriter,
    ".pq": ParquetWriter,
    ".jsonl": JsonLinesWriter,
}


def open_reader(path: Path, options: CsvOptions | None = None) -> Reader:
    """A reader for one pass over a file whose name and options were checked."""
    reader = READERS[_format(path)]
    return CsvReader(path, options) if reader is CsvReader else reader(path)


def holds_messages(path: Path) -> bool:
    """Whether a file's rows are messages, as the daemon gets them, and not rows of a table."""
    return READERS[_format(path)] is JsonLinesReader


def check_input(path: Path, options: CsvOptions | None = None) -> None:
    """Refuse a name that cannot be read, and options that mean nothing there.

    Raises:
        InputFileError: No such file, no known suffix, or an option that cannot be.
    """
    if not path.is_file():
        what = "not a regular file" if path.exists() else "no such file"
        raise InputFileError(f"{path}: {what}")
    if _format(path) not in READERS:
        raise InputFileError(
            f"{path}: cannot tell the format by the suffix; known are {', '.join(READERS)}, "
            "and .gz after those of text"
        )
    options = options or CsvOptions()
    given = list(options.given())
    if given and READERS[_format(path)] is not CsvReader:
        raise InputFileError(f"{path}: {', '.join(given)} says how CSV is written: leave it out")
    options.check()


def _format(path: Path) -> str:
    packed = path.suffix.lower() == ".gz"
    suffix = (path.with_suffix("") if packed else path).suffix.lower()
    # Parquet has a compression of its own.
    return f"{suffix}.gz" if packed and READERS.get(suffix) is ParquetReader else suffix


def open_writer(path: Path, schema: pa.Schema) -> TableWriter:
    """A writer for a file that appears under its name when it is complete."""
    return WRITERS[path.suffix.lower()](path, schema)


def check_output(path: Path) -> None:
    """Refuse a name that cannot be written.

    Raises:
        InputFileError: No known suffix, or a place where no file can be written.
    """
    if path.suffix.lower() not in WRITERS:
        raise InputFileError(f"{path}: write to one of {', '.join(WRITERS)}")
    check_place(path)


def check_place(path: Path) -> None:
    """Refuse a place where no file can be written, before the work and not after it.

    Raises:
        InputFileError: No such folder, one that cannot be written, or a folder of that name.
    """
    if not path.parent.is_dir():
        raise InputFileError(f"{path.parent}: no such folder; make it first")
    if path.is_dir():
        raise InputFileError(f"{path}: is a folder; name a file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputFileError(f"{path.parent}: no permission to write there")
