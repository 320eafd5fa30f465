"""The first events of a table, as they are before its columns are decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pyarrow as pa

from streamssl.codecs.cells import seconds, texts
from streamssl.codecs.row_sample import sampled_rows
from streamssl.config.sections import InputConfig
from streamssl.data.channels import SampledEvent
from streamssl.data.events import MARKS, UNREADABLE
from streamssl.data.typed_cells import INDEX_PREFIX

_PIECE = 64


def first_events(
    rows: pa.RecordBatch, config: InputConfig, num_events: int, names: Collection[str] = ()
) -> tuple[SampledEvent, ...]:
    """At most so many of the readable rows that hold a number or one of the texts `names`."""
    events: tuple[SampledEvent, ...] = ()
    for begin in range(0, rows.num_rows, _PIECE):
        events += _events(rows.slice(begin, _PIECE), config, names)
        if len(events) >= num_events:
            break
    return events[:num_events]


def first_rows(batches: Iterable[pa.RecordBatch], num_rows: int) -> pa.RecordBatch | None:
    """At most so many rows from the first on, None where there is none."""
    found: list[pa.RecordBatch] = []
    missing = num_rows
    for batch in batches:
        found.append(batch.slice(0, missing))
        missing -= found[-1].num_rows
        if not missing:
            break
    return pa.concat_batches(found) if missing < num_rows else None


def _events(
    rows: pa.RecordBatch, config: InputConfig, names: Collection[str]
) -> tuple[SampledEvent, ...]:
    good_B = np.ones(rows.num_rows, np.bool_)
    if UNREADABLE in rows.schema.names:
        good_B = np.array(rows.column(UNREADABLE).is_null().to_numpy(zero_copy_only=False))
    time_B = np.full(rows.num_rows, np.nan)
    if (name := config.time_field) is not None:
        time_B = seconds(rows.column(name), rows.schema.field(name))
        good_B &= ~np.isnan(time_B)
    keys = [""] * rows.num_rows
    if (name := config.key_field) is not None:
        keys = [key or "" for key in texts(rows.column(name)).to_pylist()]
    sample = sampled_rows(
        _own(rows),
        keys=keys,
        time_B=time_B,
        good_B=good_B,
        texts=names,
        values_field=config.values_field,
    )
    return sample.events


def _own(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The table's own columns, without pandas' index and the marks of unreadable rows."""
    names = rows.schema.names
    return rows.select([n for n in names if n not in MARKS and not n.startswith(INDEX_PREFIX)])
