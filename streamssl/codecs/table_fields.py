"""Which columns of a table are numbers and texts, decided before the first event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from streamssl.codecs.cell_reasons import with_cell_reasons
from streamssl.codecs.cells import is_untyped, numbers
from streamssl.codecs.fields import check_names, choose_columns
from streamssl.codecs.table_sample import first_events
from streamssl.codecs.table_times import FirstTimes, may_hold_times
from streamssl.config.sections import InputConfig
from streamssl.data.arrow_types import is_list, is_moment, is_nested, is_number, is_text, is_textual
from streamssl.data.channels import (
    FIRST_EVENTS,
    REASONS,
    SAMPLE_ROWS,
    Choice,
    LeftOut,
    SampledEvent,
    against,
    is_ignored,
)
from streamssl.data.events import MARKS, UNREADABLE, UNTYPED, Schema, StreamsslError
from streamssl.data.listing import MAX_SHOWN, listed
from streamssl.data.typed_cells import INDEX_PREFIX


class TableError(StreamsslError):
    """The table lacks a column that was named, or holds no numbers."""

    exit_code = 2


@dataclass
class CellCounts:
    """Cells of a column that were numbers so far, or something else, and the first rows of it."""

    num_numbers: int = 0
    num_others: int = 0
    rows: pa.RecordBatch | None = None

    @property
    def is_open(self) -> bool:
        """True while every cell was empty."""
        return self.num_numbers + self.num_others == 0


def table_choice(
    batches: Iterable[pa.RecordBatch],
    *,
    input: InputConfig,  # noqa: A002 (the YAML section's name)
    fields: Literal["auto"] | Sequence[str] = "auto",
    texts: Sequence[str] = (),
    required: bool = False,
    sample_rows: int = SAMPLE_ROWS,
) -> Choice:
    """The numbers and texts: the named ones, or with `auto` what the first events have.

    As in the daemon the first 32 events decide (`channels.py`), with one thing more that only a
    table knows: a column of its header that is empty at first (CSV, Parquet) is decided by its
    first batch that holds a cell. One that is always empty is left out, unless all are.

    Raises:
        TableError: A named column is missing or of another kind, no column is numeric and no text
            is named, or no row can be read.
    """
    counts: dict[str, CellCounts] = {}
    schema: pa.Schema | None = None
    reasons: list[str | None] = []
    events: list[SampledEvent] = []
    row = 0
    times = FirstTimes(input.time_field)
    for batch in _looked_into(batches, input):
        if schema is None:
            schema = batch.schema
            counts = {name: CellCounts() for name in _candidates(schema, input, fields, texts)}
            _check_time(schema, input.time_field)
        sample = batch.slice(0, max(sample_rows - row, 0))
        if len(events) < FIRST_EVENTS:
            names = texts if fields == "auto" else column_names(schema)
            events += first_events(sample, input, FIRST_EVENTS - len(events), names)
        reasons += _reasons(sample)
        times.look(sample)
        for name, seen in counts.items():
            _look(batch if seen.is_open else sample, name, seen)
        row += batch.num_rows
        if row >= sample_rows and not any(
            seen.is_open and _may_hold_numbers(schema.field(name)) for name, seen in counts.items()
        ):
            break
    if schema is None:
        return Choice(Schema(() if fields == "auto" else tuple(fields), tuple(texts)))
    _check_rows(reasons, times.problem())
    _check_texts(schema, texts)
    chosen = choose_columns(events, input=input, texts=texts, required=required)
    chosen = replace(chosen, left_out=chosen.left_out + tuple(_index_columns(schema, input)))
    if fields != "auto":
        checked = _checked(fields, schema, counts, chosen, any_rows=row > 0)
        return against(chosen, Schema(checked, tuple(texts)))
    if input.values_field is not None:
        found = chosen
    else:
        found = _with_late_columns(chosen, schema, counts, texts)
    rows = {name: seen.rows for name, seen in counts.items() if seen.rows is not None}
    found = with_cell_reasons(found, rows)
    if row and found.schema is None:
        raise _without_numbers(schema, found)
    return found


def _check_time(schema: pa.Schema, name: str | None) -> None:
    """Refuse a column of a type that holds no moments, before any row of it is looked into."""
    if name is not None and not may_hold_times(kind := schema.field(name).type):
        raise TableError(
            f"column {name!r} holds {kind}, not times; name a column of timestamps, of numbers or "
            "of texts, or none: then the row number is the time"
        )


def _check_rows(reasons: Sequence[str | None], time_problem: str) -> None:
    """Refuse rows of which none can be read."""
    if reasons and all(reasons):
        raise TableError(f"none of the first {len(reasons)} rows can be read: {reasons[0]}")
    if time_problem:
        raise TableError(time_problem)


def _without_numbers(schema: pa.Schema, found: Choice) -> TableError:
    told = "".join(f"; {name!r}: {hint}" for name, _, hint in found.left_out[:MAX_SHOWN])
    return TableError(
        f"no column holds numbers; {_listing(column_names(schema))}; those of time and key and "
        f"the ignored ones do not count, numbers are written as 1.5 or 1e-3{told}"
    )


def _candidates(
    schema: pa.Schema,
    config: InputConfig,
    fields: Literal["auto"] | Sequence[str],
    texts: Sequence[str],
) -> tuple[str, ...]:
    """Columns that may be numbers of an event."""
    names = column_names(schema)
    chosen = () if fields == "auto" else tuple(fields)
    check_names((*chosen, *texts), config)
    columns = () if config.values_field is not None else chosen
    for name in (*columns, *texts, *config.special_fields().values()):
        if name not in names:
            raise TableError(f"there is no column {name!r}; {_listing(names)}")
    if config.values_field is not None:
        _check_list(schema.field(config.values_field))
        return ()
    if fields != "auto":
        return chosen
    special = {config.time_field, config.key_field, *texts}
    free = (name for name in names if name not in special and not is_nested(schema.field(name)))
    rest = (name for name in free if not name.startswith(INDEX_PREFIX))
    return tuple(name for name in rest if not is_ignored(name, config.ignore_fields))


def _check_list(field: pa.Field) -> None:
    if not is_list(field.type):
        kind = "cells of text" if is_untyped(field) else field.type
        raise TableError(
            f"column {field.name!r} (input.values_field) holds {kind}, not lists of numbers: leave "
            "that setting out, where every number has a column of its own"
        )


def _index_columns(schema: pa.Schema, config: InputConfig) -> Iterator[LeftOut]:
    """Columns of pandas' row numbers, which are told like other row numbers and times."""
    for field in schema:
        is_special = field.name in config.special_fields().values()
        if field.name.startswith(INDEX_PREFIX) and not is_special:
            reason = "time" if is_moment(field.type) else "counter"
            yield LeftOut(field.name, reason, REASONS[reason])


def column_names(schema: pa.Schema) -> list[str]:
    """The table's own columns, without the marks of unreadable rows."""
    return [name for name in schema.names if name not in MARKS]


def _reasons(sample: pa.RecordBatch) -> list[str | None]:
    """Of each row why it cannot be read, None where it can."""
    if UNREADABLE not in sample.schema.names:
        return [None] * sample.num_rows
    reasons: list[str | None] = sample.column(UNREADABLE).to_pylist()
    return reasons


def _looked_into(
    batches: Iterable[pa.RecordBatch], config: InputConfig
) -> Iterable[pa.RecordBatch]:
    """With numbers as text, columns of text may hold them as those of a file without types."""
    return map(_untyped, batches) if config.numbers_as_text else batches


def _untyped(batch: pa.RecordBatch) -> pa.RecordBatch:
    text = [f for f in batch.schema if is_text(f.type) and not is_untyped(f)]
    for field in text:
        place = batch.schema.get_field_index(field.name)
        column = batch.column(place).cast(pa.string())
        batch = batch.set_column(
            place, pa.field(field.name, pa.string(), metadata={UNTYPED: "text"}), column
        )
    return batch


def _look(batch: pa.RecordBatch, name: str, seen: CellCounts) -> None:
    field = batch.schema.field(name)
    if not batch.num_rows:
        return
    values, no_number = numbers(batch.column(field.name), field)
    seen.num_numbers += int(np.count_nonzero(~np.isnan(values)))
    seen.num_others += int(np.count_nonzero(no_number))
    if seen.rows is None and not seen.is_open:
        seen.rows = batch


def _may_hold_numbers(field: pa.Field) -> bool:
    return is_untyped(field) or is_number(field.type)


def _check_texts(schema: pa.Schema, texts: Sequence[str]) -> None:
    for field in map(schema.field, texts):
        if not (is_untyped(field) or is_textual(field.type)):
            raise TableError(f"column {field.name!r} holds {field.type}, not texts; leave it out")


def _checked(
    fields: Sequence[str],
    schema: pa.Schema,
    counts: dict[str, CellCounts],
    chosen: Choice,
    *,
    any_rows: bool,
) -> tuple[str, ...]:
    """The named columns, none of which holds anything but numbers."""
    for name in counts:
        seen, field = counts[name], schema.field(name)
        if _is_number(field, seen, any_rows=any_rows) or seen.is_open:
            continue
        if is_untyped(field):
            left = LeftOut(name, "text", REASONS["text"])
            rows = {} if seen.rows is None else {name: seen.rows}
            (told,) = with_cell_reasons(Choice(None, (left,)), rows).left_out
            raise TableError(f"column {name!r} holds {told.hint}; leave it out")
        kind = "text" if is_text(field.type) else field.type
        hint = "".join(f"{left.hint}; or " for left in chosen.left_out if left.name == name)
        raise TableError(f"column {name!r} holds {kind}, not numbers: {hint}leave it out")
    return tuple(fields)


def _with_late_columns(
    chosen: Choice, schema: pa.Schema, counts: dict[str, CellCounts], texts: Sequence[str]
) -> Choice:
    """What the first events chose, and the columns whose first values come later.

    Where no column has a value at all, all that may hold numbers are taken.
    """
    taken = () if chosen.schema is None else chosen.schema.fields
    told = {left_out.name: left_out for left_out in chosen.left_out}
    late = {
        name: seen
        for name, seen in counts.items()
        if name not in taken
        and (name not in told or told[name].reason == "empty")
        and _may_hold_numbers(schema.field(name))
    }
    numeric = (name for name in counts if _may_hold_numbers(schema.field(name)))
    all_empty = not taken and all(counts[name].is_open for name in numeric)
    for name, seen in late.items():
        if all_empty or seen.num_numbers > seen.num_others:
            told.pop(name, None)
            taken += (name,)
        elif seen.is_open:
            told[name] = LeftOut(name, "empty", REASONS["empty"])
        else:
            told[name] = LeftOut(name, "text", REASONS["text"])
    fields = tuple(name for name in schema.names if name in taken)
    found = Schema(fields, tuple(texts))
    return Choice(found if any(found) else None, tuple(told.values()), chosen.num_events)


def _is_number(field: pa.Field, seen: CellCounts, *, any_rows: bool) -> bool:
    is_numeric = not any_rows or seen.num_numbers > seen.num_others
    return is_numeric and _may_hold_numbers(field)


def _listing(names: Sequence[str]) -> str:
    return f"the columns are {listed(map(repr, names))}" if names else "the table has no columns"
