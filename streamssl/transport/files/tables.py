"""Results as tables: one row per input row, nulls where the input could not be read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from streamssl.data.events import Range
from streamssl.data.results import Results

EMBEDDINGS_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("key", pa.string()),
        ("event_time", pa.float64()),
        ("vector", pa.list_(pa.float32())),
        ("space", pa.string()),
    ]
)
_ROW = pa.field("row", pa.int64())


def scores_schema(scorers: Sequence[str], *, texts: bool = False) -> pa.Schema:
    """Columns of the scores file: the row's number, then those of the results.

    Args:
        scorers: Names of the scorers, each of which has a column.
        texts: Whether the stream has text columns.
    """
    return pa.schema([_ROW, *Results.table_schema(scorers, texts=texts)])


def scores_table(rows: Range, results: Sequence[Results], schema: pa.Schema) -> pa.Table:
    """One row for every input row of the range."""
    return _per_row(rows, results, [_scores(r, schema) for r in results], schema)


def embeddings_table(rows: Range, results: Sequence[Results]) -> pa.Table:
    """One row for every input row of the range."""
    return _per_row(rows, results, [_embeddings(r) for r in results], EMBEDDINGS_SCHEMA)


def _scores(results: Results, schema: pa.Schema) -> pa.Table:
    columns = {"row": pa.array(results.batch.offset), **results.columns()}
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _embeddings(results: Results) -> pa.Table:
    batch = results.batch
    num_events, size = results.embedding_BD.shape
    vectors = pa.ListArray.from_arrays(
        np.arange(num_events + 1, dtype=np.int32) * size,
        np.ascontiguousarray(results.embedding_BD, np.float32).reshape(-1),
    )
    space = pa.repeat(pa.scalar(results.space, pa.utf8()), num_events)
    columns = [batch.offset, batch.keys, batch.event_time, vectors, space]
    return pa.table(columns, schema=EMBEDDINGS_SCHEMA)


def _per_row(
    rows: Range, results: Sequence[Results], tables: Sequence[pa.Table], schema: pa.Schema
) -> pa.Table:
    number = np.arange(rows.start, rows.stop)
    place = np.full(len(number), -1)
    if results:
        offset = np.concatenate([r.batch.offset for r in results])
        place[offset - rows.start] = np.arange(len(offset))
    table = pa.concat_tables(tables) if tables else schema.empty_table()
    if not np.array_equal(place, np.arange(len(table))):
        table = table.take(pa.array(place, mask=place < 0))
    return table.set_column(0, schema.field(0), [pa.array(number)])
