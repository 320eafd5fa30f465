"""The same rows in every format that a decoder reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pyarrow as pa

from streamssl.codecs.arrow import ArrowDecoder
from streamssl.codecs.arrow_reader import write_batch
from streamssl.codecs.json import JsonDecoder
from streamssl.codecs.table import TableDecoder
from streamssl.codecs.table_fields import table_choice
from streamssl.config.sections import InputConfig
from streamssl.data.events import UNTYPED, Decoded, Message, Slice
from tests.strategies import first_decoded, slice_of

Row = dict[str, Any]
Names = Literal["auto"] | Sequence[str]


def from_json(rows: list[Row], **settings: Any) -> Decoded:
    """One message a row, as it would come from Kafka."""
    items = [Message(0, at, None, json.dumps(row).encode(), 1) for at, row in enumerate(rows)]
    return first_decoded(JsonDecoder(topic="in", **_configured(settings)), slice_of(items))


def from_arrow(rows: list[Row], **settings: Any) -> Decoded:
    """One message with all rows."""
    return from_packed(typed(rows), **settings)


def from_packed(batch: pa.RecordBatch, **settings: Any) -> Decoded:
    """One message with the rows of a record batch."""
    items = [Message(0, 0, None, write_batch(batch), 1)]
    return first_decoded(ArrowDecoder(topic="in", **_configured(settings)), slice_of(items))


def from_parquet(rows: list[Row], **settings: Any) -> Decoded:
    """A table whose columns have types."""
    return from_table(typed(rows), **settings)


def from_csv(rows: list[Row], **settings: Any) -> Decoded:
    """A table of plain text, in which nothing stands where a cell is missing."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_csv_cell(row.get(name)) for row in rows] for name in names]
    return from_table(_untyped(names, cells), **settings)


def from_table(batch: pa.RecordBatch, **settings: Any) -> Decoded:
    """A piece of a file, its columns decided as a replay does."""
    settings = _configured(settings)
    required = settings.pop("required", False)
    schema = table_choice([batch], **settings).schema
    assert schema is not None
    decoder = TableDecoder(topic="in", schema=schema, input=settings["input"], required=required)
    return decoder.decode(Slice(0, 1, 0, batch.num_rows, batch), None)


def typed(rows: list[Row]) -> pa.RecordBatch:
    """Rows as an Arrow batch."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.RecordBatch.from_pydict({name: [row.get(name) for row in rows] for name in names})


FORMATS: dict[str, Callable[..., Decoded]] = {
    "json": from_json,
    "arrow": from_arrow,
    "parquet": from_parquet,
    "csv": from_csv,
}


def _configured(settings: dict[str, Any]) -> dict[str, Any]:
    return {"input": InputConfig(), **settings}


def _untyped(names: list[str], cells: list[list[str]]) -> pa.RecordBatch:
    schema = pa.schema([pa.field(n, pa.string(), metadata={UNTYPED: "csv"}) for n in names])
    return pa.RecordBatch.from_arrays([pa.array(c, pa.string()) for c in cells], schema=schema)


def _csv_cell(cell: Any) -> str:
    return "" if cell is None else cell if isinstance(cell, str) else json.dumps(cell)
