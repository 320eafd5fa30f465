"""Which unused columns of a file look like the time or the key of its events."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamssl.codecs.cells import numbers, texts
from streamssl.codecs.table_fields import column_names
from streamssl.codecs.table_times import digits_hint, time_digits, time_hint
from streamssl.config.sections import InputConfig
from streamssl.data.channels import REASONS, SAMPLE_ROWS, Choice, is_ignored
from streamssl.data.events import Schema

_KEY = re.compile(
    r"(?i)(^|[\W_])(asset|device|equipment|host|id|key|machine|motor|node|pump|sensor|serial|"
    r"station|tag|turbine|unit|vehicle)(s|id|no|name|[\W_]|$)"
)
_LABEL = re.compile(r"(?i)label|class|status|state|note|comment|mode|type|quality|alarm|error")
# A key comes back: this many rows or more for each on average.
ROWS_PER_KEY = 4
MAX_NEAR = 3


def option_hints(
    sample: pa.RecordBatch | None,
    choice: Choice,
    *,
    input: InputConfig,  # noqa: A002 (the YAML section's name)
) -> tuple[str, ...]:
    """A sentence for each option of `replay` that seems to fit and is not given.

    Args:
        sample: The table's first rows; None where it has none, or holds messages.
        choice: The columns that events have, and why the others are none.
        input: Which columns are time and key.
    """
    times = [name for name, reason, _ in choice.left_out if reason == "time"]
    hints = []
    if input.time_field is None and times:
        hints.append(time_hint(times[0], sample))
    digits = time_digits(sample, input.time_field)
    if input.time_field is not None and digits:
        hints.append(digits_hint(input.time_field, digits))
    explained = {
        n for n, reason, hint in choice.left_out if reason == "text" and hint != REASONS["text"]
    }
    rows = None if sample is None else sample.slice(0, SAMPLE_ROWS)
    keys = sorted(_repeating(choice) if rows is None else _keys(rows, explained))
    if input.key_field is None and keys:
        name = keys[0][-1]
        hints.append(f"column {name!r} looks like a key: --key-column {name}")
    return (*hints, *_without_match(input.ignore_fields, _names(rows, choice)))


def _names(rows: pa.RecordBatch | None, choice: Choice) -> list[str]:
    if rows is not None:
        return column_names(rows.schema)
    taken = choice.schema or Schema(())
    return [*taken.fields, *taken.texts, *(left.name for left in choice.left_out)]


def _without_match(patterns: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """What is said of ignored columns and means none, and the columns with names like it."""
    lower = {name.lower(): name for name in names}
    for pattern in patterns:
        if names and not any(is_ignored(name, (pattern,)) for name in names):
            near = [lower[n] for n in get_close_matches(pattern.lower(), lower, MAX_NEAR)]
            shown = ", ".join(map(repr, near or names[:MAX_NEAR]))
            told = "near it" if near else "there are" if len(names) <= MAX_NEAR else "such as"
            yield f"--ignore-columns {pattern!r} is no column: {told} {shown}"


def _repeating(choice: Choice) -> Iterator[tuple[bool, int, str]]:
    """Fields with texts that repeat and that are named like no label, the likeliest first."""
    for place, (name, reason, _) in enumerate(choice.left_out):
        if reason == "key" and (_KEY.search(name) or not _LABEL.search(name)):
            yield not _KEY.search(name), place, name


def _keys(sample: pa.RecordBatch, explained: Collection[str]) -> Iterator[tuple[bool, int, str]]:
    """Columns whose values come back and are no measurements; the likeliest sorts first.

    Args:
        sample: The first rows.
        explained: Columns that were seen to be something else, such as two states.
    """
    for name in column_names(sample.schema):
        if name in explained:
            continue
        column, described = sample.column(name), sample.schema.field(name)
        values, no_number_B = numbers(column, described)
        is_named = bool(_KEY.search(name))
        is_text = bool(2 * no_number_B.sum() > len(column))
        is_whole = is_named and bool(np.all(values == np.round(values)))
        if not (is_text or is_whole):
            continue
        num_keys = pc.count_distinct(texts(column)).as_py()
        is_key = is_named or (num_keys > 1 and not _LABEL.search(name))
        if is_key and ROWS_PER_KEY * num_keys <= len(column):
            yield not is_named, -num_keys, name
