"""Where a replay of the journal writes what it reproduced: record by record, byte by byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from streamssl.events import OutputRecord, StreamsslError
from streamssl.transport.base import partition_of

SCHEMA = pa.schema(
    [
        pa.field("topic", pa.string(), nullable=False),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", pa.list_(pa.struct([("name", pa.string()), ("value", pa.binary())]))),
    ]
)
# Records of one partition, as one transaction published them.
Write = Callable[[int, list[OutputRecord]], None]


class PublishedFileError(StreamsslError):
    """The output file cannot be written."""

    exit_code = 2


@contextmanager
def published(path: Path, prefix: str) -> Iterator[Write]:
    """Open the output file of a journal replay.

    Args:
        path: `.parquet` (keys and values as bytes) or `.jsonl` (a value that is text as
            `value`, any other as `value_base64`); one row a record, in order of publication.
        prefix: What the topics' names begin with.

    Raises:
        PublishedFileError: Another suffix, or the folder does not exist.
    """
    if path.suffix not in (".parquet", ".jsonl") or not path.parent.is_dir():
        raise PublishedFileError(
            f"{path}: a replay of the journal writes .parquet or .jsonl into a folder that exists"
        )
    opened = _parquet(path, prefix) if path.suffix == ".parquet" else _json_lines(path, prefix)
    with opened as write:
        yield write


@contextmanager
def _parquet(path: Path, prefix: str) -> Iterator[Write]:
    with pq.ParquetWriter(path, SCHEMA) as writer:

        def write(partition: int, records: list[OutputRecord]) -> None:
            rows = [
                {
                    "topic": f"{prefix}.{record.topic}",
                    "partition": partition_of(record, partition),
                    "key": record.key,
                    "value": record.value,
                    "headers": [{"name": name, "value": data} for name, data in record.headers],
                }
                for record in records
            ]
            writer.write_table(pa.Table.from_pylist(rows, SCHEMA))

        yield write


@contextmanager
def _json_lines(path: Path, prefix: str) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as file:

        def write(partition: int, records: list[OutputRecord]) -> None:
            for record in records:
                place = partition_of(record, partition)
                line = {"topic": f"{prefix}.{record.topic}", "partition": place}
                line |= _text("key", record.key) | _text("value", record.value)
                line["headers"] = [_text("value", data) | {"name": n} for n, data in record.headers]
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

        yield write


def _text(name: str, data: bytes | None) -> dict[str, object]:
    if data is None:
        return {name: None}
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode()}
