"""Results as tables: one row per input row, nulls where the input could not be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from streamssl.data.events import FloatArray, Range
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


def scores_schema(scorers: Sequence[str]) -> pa.Schema:
    """Columns of the scores file: the same for every configuration, then one per scorer."""
    return pa.schema(
        [
            ("row", pa.int64()),
            ("key", pa.string()),
            ("event_time", pa.float64()),
            ("score", pa.float64()),
            ("p_value", pa.float64()),
            ("raw", pa.float64()),
            ("anomaly", pa.bool_()),
            ("incident_id", pa.string()),
            ("warming", pa.bool_()),
            ("top_field", pa.string()),
            *((f"raw_{name}", pa.float64()) for name in scorers),
        ]
    )


def scores_table(rows: Range, results: Sequence[Results], schema: pa.Schema) -> pa.Table:
    """One row for every input row of the range."""
    return _per_row(rows, results, [_scores(r, schema) for r in results], schema)


def embeddings_table(rows: Range, results: Sequence[Results]) -> pa.Table:
    """One row for every input row of the range."""
    return _per_row(rows, results, [_embeddings(r) for r in results], EMBEDDINGS_SCHEMA)


def _scores(results: Results, schema: pa.Schema) -> pa.Table:
    batch = results.batch
    columns: Mapping[str, pa.Array | FloatArray] = {
        "row": batch.offset,
        "key": batch.keys,
        "event_time": batch.event_time,
        "score": results.score,
        "p_value": results.p_value,
        "raw": results.raw,
        "anomaly": results.anomaly,
        "incident_id": pa.array(results.incident_id, pa.string()),
        "warming": results.warming,
        "top_field": _top_fields(results),
        **{f"raw_{name}": column for name, column in results.raw_scores.items()},
    }
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _top_fields(results: Results) -> pa.Array:
    known = (results.top_field >= 0) & (results.top_field < len(results.parts))
    places = pa.array(results.top_field, mask=~known)
    return pa.array(results.parts, pa.string()).take(places)


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
