"""Which columns of a table are channels, decided before the first event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from streamssl.codecs.arrow_types import is_number
from streamssl.codecs.cells import is_untyped, numbers, seconds
from streamssl.codecs.columns import channel_names, check_names
from streamssl.config.sections import InputConfig
from streamssl.data.events import ORIGINAL, UNREADABLE, StreamsslError

SAMPLE_ROWS = 1_000
INDEX_PREFIX = "__index_level_"
MAX_NAMES_SHOWN = 20


class TableError(StreamsslError):
    """The table lacks a column that was named, or holds no numbers."""

    exit_code = 2


@dataclass
class Evidence:
    """What the cells of a column looked like so far."""

    num_numbers: int = 0
    num_others: int = 0

    @property
    def is_open(self) -> bool:
        """True while every cell was empty."""
        return self.num_numbers + self.num_others == 0


def table_fields(
    batches: Iterable[pa.RecordBatch],
    *,
    input: InputConfig,  # noqa: A002 (the YAML section's name)
    fields: Literal["auto"] | Sequence[str] = "auto",
    sample_rows: int = SAMPLE_ROWS,
) -> tuple[str, ...]:
    """The channels: the named ones, or with `auto` every numeric column that is left.

    A column with a numeric type is numeric. A column whose cells have no type (CSV, JSON Lines)
    is numeric if most of its non-empty cells in the first `sample_rows` rows are; one that is
    empty there is decided by its first batch that holds a cell. One that is always empty is no
    channel, whatever its type, unless all are. Columns of text, and the index columns that
    pandas writes, are never channels.

    Raises:
        TableError: A named column is missing, no column is numeric, or no row can be read.
    """
    evidence: dict[str, Evidence] = {}
    schema: pa.Schema | None = None
    reasons: list[str | None] = []
    row = num_times = 0
    for batch in batches:
        if schema is None:
            schema = batch.schema
            evidence = {name: Evidence() for name in _candidates(schema, input, fields)}
        sample = batch.slice(0, max(sample_rows - row, 0))
        reasons += _reasons(sample)
        num_times += _num_times(sample, input.time_field)
        for name, seen in evidence.items():
            _look(batch if seen.is_open else sample, name, seen)
        row += batch.num_rows
        if row >= sample_rows and not any(
            seen.is_open and _may_hold_numbers(schema.field(name))
            for name, seen in evidence.items()
        ):
            break
    if schema is None:
        return () if fields == "auto" else tuple(fields)
    if reasons and all(reasons):
        raise TableError(f"none of the first {len(reasons)} rows can be read: {reasons[0]}")
    if row and input.time_field and not num_times:
        raise TableError(
            f"column {input.time_field!r} holds no time that can be read; write seconds or "
            "milliseconds since 1970, or ISO 8601"
        )
    return _decide(schema, evidence, fields, any_rows=row > 0)


def _candidates(
    schema: pa.Schema, config: InputConfig, fields: Literal["auto"] | Sequence[str]
) -> tuple[str, ...]:
    names = column_names(schema)
    if config.values_field is not None:
        raise TableError(
            f"in a file every channel has a column of its own, so that input.values_field "
            f"({config.values_field!r}) cannot be read; replay with a configuration without it"
        )
    chosen = [] if fields == "auto" else list(check_names(fields, config))
    for name in [*chosen, config.time_field, config.key_field]:
        if name is not None and name not in names:
            raise TableError(f"there is no column {name!r}; {_listing(names)}")
    rest = [name for name in names if not name.startswith(INDEX_PREFIX)]
    return channel_names(rest, config) if fields == "auto" else tuple(chosen)


def column_names(schema: pa.Schema) -> list[str]:
    """The table's own columns, without the marks of unreadable rows."""
    return [name for name in schema.names if name not in (UNREADABLE, ORIGINAL)]


def _reasons(sample: pa.RecordBatch) -> list[str | None]:
    """Of each row why it cannot be read, None where it can."""
    if UNREADABLE not in sample.schema.names:
        return [None] * sample.num_rows
    reasons: list[str | None] = sample.column(UNREADABLE).to_pylist()
    return reasons


def _look(batch: pa.RecordBatch, name: str, seen: Evidence) -> None:
    field = batch.schema.field(name)
    if not batch.num_rows or not _may_hold_numbers(field):
        return
    values, no_number = numbers(batch.column(name), field)
    seen.num_numbers += int(np.count_nonzero(~np.isnan(values)))
    seen.num_others += int(np.count_nonzero(no_number))


def _may_hold_numbers(field: pa.Field) -> bool:
    return is_untyped(field) or is_number(field.type)


def _num_times(sample: pa.RecordBatch, name: str | None) -> int:
    if name is None or not sample.num_rows:
        return 0
    time_B = seconds(sample.column(name), sample.schema.field(name))
    return int(np.count_nonzero(~np.isnan(time_B)))


def _decide(
    schema: pa.Schema,
    evidence: dict[str, Evidence],
    fields: Literal["auto"] | Sequence[str],
    *,
    any_rows: bool,
) -> tuple[str, ...]:
    def is_channel(name: str) -> bool:
        seen = evidence[name]
        wanted = not any_rows or seen.num_numbers > seen.num_others
        return wanted and _may_hold_numbers(schema.field(name))

    if fields != "auto":
        for name in fields:
            if not is_channel(name) and not evidence[name].is_open:
                raise TableError(f"column {name!r} holds text, not numbers; leave it out")
        return tuple(fields)
    channels = tuple(filter(is_channel, evidence))
    if channels or not any_rows:
        return channels
    possible = [name for name in evidence if _may_hold_numbers(schema.field(name))]
    if possible and all(evidence[name].is_open for name in possible):
        return tuple(possible)
    raise TableError(
        f"no column holds numbers; {_listing(column_names(schema))}; those of time and key and the "
        "ignored ones do not count, numbers are written as 1.5 or 1e-3"
    )


def _listing(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:MAX_NAMES_SHOWN])
    more = f" and {len(names) - MAX_NAMES_SHOWN} more" if len(names) > MAX_NAMES_SHOWN else ""
    return f"the columns are {shown}{more}" if names else "the table has no columns"
