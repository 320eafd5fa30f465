"""What every reader of files gives: Arrow batches, and unreadable rows marked as such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Protocol

import pyarrow as pa

from streamssl.data.events import MARKS, ORIGINAL, UNREADABLE, UNTYPED, Message, StreamsslError
from streamssl.data.written import Written

# Columns by these names would be taken for the marks of unreadable rows.
RESERVED = frozenset(MARKS)


class InputFileError(StreamsslError):
    """The input cannot be read, or the output cannot be written, as the command asks."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that is no row.

    Attributes:
        reason: A fixed word and a detail, `word: detail`.
        original: Its bytes.
    """

    reason: str
    original: bytes


class Reader(Protocol):
    """One pass over a file; all batches of a table have the same columns.

    Attributes:
        fraction: Share of the file that was read, 0 to 1.
        notes: What was found out about how it is written, in words; all of it after the last
            batch.
        warnings: What was said of it and does not fit, in words; after the last batch.
    """

    fraction: float
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    def batches(self) -> Iterator[pa.RecordBatch] | Iterator[list[Message]]:
        """The rows in order; every row of the file is in exactly one batch."""


def with_marks(
    columns: pa.RecordBatch, unreadable: Sequence[Unreadable | None] | None = None
) -> pa.RecordBatch:
    """The columns and two more: of each row that is no row why, and its bytes.

    Args:
        columns: The rows' cells.
        unreadable: One entry a row; without it all rows are readable.
    """
    marks = unreadable or [None] * columns.num_rows
    reasons = [None if row is None else row.reason for row in marks]
    originals = [None if row is None else row.original for row in marks]
    columns = columns.append_column(UNREADABLE, pa.array(reasons, pa.string()))
    return columns.append_column(ORIGINAL, pa.array(originals, pa.binary()))


def untyped_schema(names: Sequence[str], written: Sequence[Written] | None = None) -> pa.Schema:
    """Text columns whose cells have no type yet: the decoder finds it out.

    Args:
        names: The columns.
        written: How numbers and times are written in each; the ordinary way without it.
    """
    told = [{UNTYPED: "csv", **way.metadata()} for way in written or [Written()] * len(names)]
    pairs = zip(names, told, strict=True)
    return pa.schema([pa.field(name, pa.string(), metadata=meta) for name, meta in pairs])


def unique_names(names: Sequence[str]) -> list[str]:
    """Column names that are neither empty, nor repeated, nor reserved.

    Example:
        >>> unique_names(["a", "", "a", " b ", "a.1"])
        ['a', 'column_1', 'a.2', 'b', 'a.1']
    """
    own = {name.strip() for name in names}
    unique: dict[str, None] = {}
    for place, name in enumerate(map(str.strip, names)):
        wanted = name or f"column_{place}"
        is_free = wanted not in {*unique, *RESERVED} and (bool(name) or wanted not in own)
        variants = (f"{wanted}.{number}" for number in count(1))
        free = (v for v in variants if v not in {*unique, *own, *RESERVED})
        unique[wanted if is_free else next(free)] = None
    return list(unique)
