"""JSON Lines: one object a line; the first block's keys are the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import pyarrow as pa

from streamssl.data.events import EXTRA
from streamssl.transport.files.blocks import TextSource
from streamssl.transport.files.rows import (
    RESERVED,
    InputFileError,
    Unreadable,
    untyped_schema,
    with_marks,
)

MAX_ROWS = 4_096
MAX_COLUMNS = 20_000

# Values stay JSON text: Arrow turns whole columns into numbers faster than Python could.
Row = dict[str, msgspec.Raw]
_decode = msgspec.json.Decoder(Row).decode


class JsonLinesReader:
    """One pass over a JSON Lines file; cells stay JSON text.

    Args:
        path: The file, plain or `.gz`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fraction = 0.0
        self.notes: tuple[str, ...] = ()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in order; blank lines are no rows.

        Raises:
            InputFileError: The file is one JSON array.
        """
        schema: pa.Schema | None = None
        with TextSource(self._path) as source:
            for block in source.blocks(quoted=False):
                lines = iter([line for line in block.split(b"\n") if line.strip()])
                while part := list(islice(lines, MAX_ROWS)):
                    rows = [_parse(line) for line in part]
                    if schema is None:
                        self._check_lines(part[0])
                        schema = _schema(rows)
                    self.fraction = source.fraction
                    yield _batch(rows, schema)

    def _check_lines(self, first: bytes) -> None:
        if first.lstrip().startswith(b"["):
            raise InputFileError(
                f"{self._path} holds a JSON array, not one object a line; "
                "convert it, for example with: jq -c '.[]'"
            )


def _parse(line: bytes) -> Row | Unreadable:
    try:
        line.decode()  # values stay undecoded, so nobody else looks at their bytes
        return _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return _parse_leniently(line) or Unreadable(f"bad_json: {error}", line)


def _parse_leniently(line: bytes) -> Row | None:
    # NaN and Infinity are not JSON, but Python and others write them.
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return {key: msgspec.Raw(json.dumps(cell).encode()) for key, cell in value.items()}


def _schema(rows: Sequence[Row | Unreadable]) -> pa.Schema:
    keys = dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row)
    names = (key for key in keys if key not in RESERVED)
    return untyped_schema(list(islice(names, MAX_COLUMNS)), "json")


def _batch(rows: Sequence[Row | Unreadable], schema: pa.Schema) -> pa.RecordBatch:
    nothing: Row = {}
    cells = [nothing if isinstance(row, Unreadable) else row for row in rows]
    null = msgspec.Raw(b"null")
    columns = [
        pa.array([bytes(row.get(name, null)) for row in cells], pa.binary()).cast(pa.string())
        for name in schema.names
    ]
    unreadable = [row if isinstance(row, Unreadable) else None for row in rows]
    if not columns:
        columns, schema = [pa.nulls(len(rows), pa.string())], untyped_schema([""], "json")
    marked = with_marks(pa.RecordBatch.from_arrays(columns, schema=schema), unreadable)
    known = frozenset(schema.names)
    extra = [_extra(row, known) for row in cells]
    return marked.append_column(EXTRA, pa.array(extra, pa.string()))


def _extra(row: Row, known: frozenset[str]) -> str | None:
    """Fields with a value that have no column, as a JSON list."""
    if row.keys() <= known:
        return None
    more = (name for name in row if name not in known)
    return json.dumps([name for name in more if bytes(row[name]) != b"null"])
