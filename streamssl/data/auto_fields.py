"""Which columns of a table are the numbers of events where no one names them.

The rule is that of `modality.fields: auto` (`channels.py`); what is left out is told.

B = events.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import types

from streamssl.data.arrow_types import float64, is_moment, is_number, is_text
from streamssl.data.channels import (
    FIRST_EVENTS,
    MAX_FIELDS,
    REASONS,
    SAMPLE_ROWS,
    LeftOut,
    SampledEvent,
    choose,
)
from streamssl.data.listing import listed
from streamssl.data.schema import FloatArray
from streamssl.data.typed_cells import INDEX_PREFIX, typed_cells

NUM_SAMPLE = 200
_PIECE = 64
# A column that is none has in its place why: its cells are of several kinds, say.
Named = Mapping[str, pa.Array | str]

# By words of `channels.REASONS`, whose remedies are the daemon's settings. A column that is left
# out for another word may be meant as numbers: an error.
_WHY = {
    "time": "looks like a timestamp",
    "counter": "looks like a row number",
    "constant": "the same text in all of the first rows",
    "text": "text",
    "key": "text that repeats",
    "empty": "no value",
    "rare": "in very few of the first rows",
    "too_many": f"beyond the first {MAX_FIELDS:,}",
}
# What makes it part of the events, where they have no such column yet.
_ROLE = {
    "time": " (give it as time= where it is the events')",
    "key": " (give it as key= where it names the machine or sensor)",
}


class Found(NamedTuple):
    """The numbers of events, and the columns that are none of them.

    Attributes:
        fields: Names of the numbers.
        left_out: The columns without a role, and why.
    """

    fields: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()


def auto_fields(
    named: Named,
    special: Collection[str | None],
    texts: Sequence[str],
    keys: pa.StringArray,
    time_B: FloatArray | None,
) -> Found:
    """The columns of numbers but those that look like a timestamp or a row number.

    Args:
        named: All columns.
        special: Names of those of time and key.
        texts: Names of the text columns.
        keys: `[B]` keys of the events.
        time_B: `[B]` their times; None where there are none.

    Raises:
        TypeError: A column might be meant as numbers, but is none.
        ValueError: No column is left.
    """
    free = {name: column for name, column in named.items() if name not in {*special, *texts}}
    columns = {name: _undoubted(name, column) for name, column in free.items()}
    index = [name for name, column in columns.items() if _is_index(name, column)]
    reasons = dict.fromkeys(index, "counter")
    columns = {name: column for name, column in columns.items() if name not in reasons}
    events = _first_events(columns, keys, time_B)
    fields, more = _chosen(columns, events)
    reasons |= more
    roles = {"time": time_B is not None, "key": any(event.key for event in events)}
    left_out = tuple(
        LeftOut(name, word, _WHY[word] + ("" if roles.get(word, True) else _ROLE[word]))
        for name, word in reasons.items()
    )
    if not fields and not texts and (named or len(keys)):
        raise ValueError(_no_numbers(named, left_out))
    return Found(fields, left_out)


def told(left_out: Sequence[LeftOut]) -> str:
    """Columns and why they are left out, as part of a sentence."""
    return listed(f"{name!r}: {hint}" for name, _, hint in left_out)


def listing(named: Named) -> str:
    """The columns of a table and their types, as part of a sentence."""
    kinds = (
        f"{name!r} ({'mixed' if isinstance(column, str) else column.type})"
        for name, column in named.items()
    )
    return f"the columns are {listed(kinds)}" if named else "there are no columns"


def _chosen(
    columns: Mapping[str, pa.Array], events: Sequence[SampledEvent]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The fields, and the words why others are none; without rows the types decide.

    Raises:
        TypeError: A column may be meant as numbers, such as one of numbers written as text.
    """
    typed = {name: column for name, column in columns.items() if is_number(column.type)}
    if not events:
        return tuple(typed), {}
    known = [name for name, column in typed.items() if _has_value(column)]
    choice = choose(events, typed=known or [*typed])
    reasons = {name: reason for name, reason, _ in choice.left_out}
    for name, reason in reasons.items():
        if reason not in _WHY:
            raise _doubtful(name, f"holds {REASONS[reason].partition(':')[0]}")
    return () if choice.schema is None else choice.schema.fields, reasons


def _has_value(column: pa.Array) -> bool:
    pieces = (column[:SAMPLE_ROWS], column[SAMPLE_ROWS:])
    return any(not np.isnan(float64(piece)).all() for piece in pieces)


def _no_numbers(named: Named, left_out: Sequence[LeftOut]) -> str:
    why = f" ({told(left_out)})" if left_out else ""
    return (
        f"no column holds numbers that are measurements{why}; {listing(named)}; name in "
        "fields=[...] those that are"
    )


def _is_index(name: str, column: pa.Array) -> bool:
    """Whether it is the row numbers of a data frame that was written as Arrow."""
    return name.startswith(INDEX_PREFIX) and bool(types.is_integer(column.type))


def _first_events(
    columns: Mapping[str, pa.Array], keys: pa.StringArray, time_B: FloatArray | None
) -> list[SampledEvent]:
    """The first rows that hold a number, or what the others hold where none does."""
    events: list[SampledEvent] = []
    others: list[SampledEvent] = []
    for begin in range(0, min(len(keys), SAMPLE_ROWS), _PIECE):
        for event in _events(columns, keys, time_B, slice(begin, begin + _PIECE)):
            (events if event.has_column() else others).append(event)
        if len(events) >= FIRST_EVENTS:
            break
    return (events or others)[:FIRST_EVENTS]


def _events(
    columns: Mapping[str, pa.Array],
    keys: pa.StringArray,
    time_B: FloatArray | None,
    rows: slice,
) -> list[SampledEvent]:
    key_B = keys[rows].to_pylist()
    times = np.full(len(key_B), np.nan) if time_B is None else time_B[rows]
    cells = [typed_cells(column[rows]) for column in columns.values()]
    return [
        SampledEvent(0, key, time_s, dict(zip(columns, row, strict=True)))
        for key, time_s, *row in zip(key_B, times.tolist(), *cells, strict=True)
    ]


def _undoubted(name: str, column: pa.Array | str) -> pa.Array:
    """The column, which is numbers, a time or a label.

    Raises:
        TypeError: It might be meant as numbers, but is none.
    """
    reason = column if isinstance(column, str) else _doubt(column)
    if reason:
        raise _doubtful(name, reason)
    return column


def _doubtful(name: str, reason: str) -> TypeError:
    return TypeError(
        f"column {name!r} may be meant as numbers, but {reason}; convert it, drop it, or "
        "name the fields without it"
    )


def _doubt(column: pa.Array) -> str | None:
    """Why a column that is no number is no label either, None where it is a label or a time."""
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if is_number(kind) or is_moment(kind) or types.is_null(kind):
        return None
    if not is_text(kind):
        return f"holds {kind}"
    sample = column.drop_null().slice(0, NUM_SAMPLE).to_pylist()
    numeric = [text for text in sample if _is_float(text)]
    return f"holds texts such as {numeric[0]!r}" if 2 * len(numeric) > len(sample) else None


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
