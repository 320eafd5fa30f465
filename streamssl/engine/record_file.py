"""The file of output records that a reproduction writes: record by record, byte by byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from streamssl.data.events import OutputRecord, StreamsslError
from streamssl.transport.files.formats import check_place
from streamssl.transport.files.writers import DraftFile, ParquetWriter, writing

SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))),
    ]
)
# Records of one partition of the output topics, as one transaction published them.
Write = Callable[[int, Sequence[OutputRecord]], None]


class RecordFileError(StreamsslError):
    """The output file's format cannot be told."""

    exit_code = 2


@contextmanager
def record_file(path: Path, prefix: str) -> Iterator[Write]:
    """Open the output file of a reproduction; it appears when the body ended without error.

    Args:
        path: `.parquet` (keys and values as bytes) or `.jsonl` (a value that is text as
            `value`, any other as `value_base64`); one row a record, in order of publication.
        prefix: What the topics' names begin with.

    Raises:
        RecordFileError: Another suffix.
        InputFileError: A place where no file can be written.
        OutputFileError: It cannot be written to its end; what was under its name stays.
    """
    if path.suffix.lower() not in (".parquet", ".jsonl"):
        raise RecordFileError(f"{path}: a replay of the journal writes .parquet or .jsonl")
    check_place(path)
    with writing(path):
        file = DraftFile(path) if path.suffix.lower() == ".jsonl" else ParquetWriter(path, SCHEMA)
    add = _json_lines(file, prefix) if isinstance(file, DraftFile) else _rows(file, prefix)

    def write(partition: int, records: Sequence[OutputRecord]) -> None:
        with writing(path):
            add(partition, records)

    try:
        yield write
        with writing(path):
            file.publish()
    except BaseException:  # SIGTERM, too
        file.discard()
        raise


def _rows(file: ParquetWriter, prefix: str) -> Write:
    def write(partition: int, records: Sequence[OutputRecord]) -> None:
        rows = [
            {
                "topic": f"{prefix}.{record.topic}",
                "partition": partition,
                "key": record.key,
                "value": record.value,
                "headers": [{"name": name, "value": data} for name, data in record.headers],
            }
            for record in records
        ]
        file.write(pa.Table.from_pylist(rows, SCHEMA))

    return write


def _json_lines(file: DraftFile, prefix: str) -> Write:
    def write(partition: int, records: Sequence[OutputRecord]) -> None:
        for record in records:
            line = {"topic": f"{prefix}.{record.topic}", "partition": partition}
            line |= _text("key", record.key) | _text("value", record.value)
            line["headers"] = [_text("value", data) | {"name": n} for n, data in record.headers]
            file.stream.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    return write


def _text(name: str, data: bytes | None) -> dict[str, object]:
    if data is None:
        return {name: None}
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}
