"""What became of a file's columns, and which of those that are unused look like time or key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamssl.codecs.cells import numbers, texts
from streamssl.codecs.table_fields import SAMPLE_ROWS, column_names
from streamssl.config.sections import InputConfig
from streamssl.data.channels import REASONS, Choice

_KEY = re.compile(
    r"(?i)(^|[\W_])(asset|device|equipment|host|id|key|machine|motor|node|pump|sensor|serial|"
    r"station|tag|turbine|unit|vehicle)(s|id|no|name|[\W_]|$)"
)
_LABEL = re.compile(r"(?i)label|class|status|state|note|comment|mode|type|quality|alarm|error")
# A key comes back: this many rows or more for each on average.
ROWS_PER_KEY = 4
# How reasons are told in a word or two.
_WORDS = {"ignored": "by name", "numbers_as_text": "numbers as text", "too_many": "too many"}
# Reasons that are no news.
_EXPECTED = ("time", "key", "ignored", "text", "constant")


@dataclass(frozen=True)
class ColumnReport:
    """The columns of a file.

    Attributes:
        channels: Those that are scored.
        ignored: Those that are not used, with the reason in a word or two.
        hints: Sentences on settings that seem to fit.
    """

    channels: tuple[str, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    hints: tuple[str, ...] = ()


def column_report(
    sample: pa.RecordBatch | None,
    choice: Choice,
    *,
    input: InputConfig,  # noqa: A002 (the YAML section's name)
) -> ColumnReport:
    """Say what the columns of a table are used for.

    Args:
        sample: Its first rows, None where it has none.
        choice: The columns that events have, and why the others are none.
        input: Which columns are time and key, and which are ignored.
    """
    channels = tuple(name for names in choice.schema or () for name in names)
    if sample is None:
        return ColumnReport(channels)
    sample = sample.slice(0, SAMPLE_ROWS)
    used = {*channels, input.time_field, input.key_field}
    ignored = {
        name: "not in modality.fields" for name in column_names(sample.schema) if name not in used
    }
    ignored |= {name: _WORDS.get(word, word) for name, word, _ in choice.left_out}
    return ColumnReport(channels, ignored, tuple(_hints(sample, choice, input)))


def _hints(sample: pa.RecordBatch, choice: Choice, config: InputConfig) -> Iterator[str]:
    times = [name for name, reason, _ in choice.left_out if reason == "time"]
    if config.time_field is None and times:
        yield f"column {times[0]!r} looks like a time: --time-column {times[0]}"
    keys = _keys(sample, column_names(sample.schema))
    if config.key_field is None and keys:
        yield f"column {keys[0]!r} looks like a key: --key-column {keys[0]}"
    for name, reason, _ in choice.left_out:
        if reason not in _EXPECTED:
            yield f"column {name!r}: {REASONS[reason]}"


def _keys(sample: pa.RecordBatch, names: Sequence[str]) -> list[str]:
    """Columns whose values come back and are no measurements, the likeliest first."""
    found = []
    for name in names:
        column, described = sample.column(name), sample.schema.field(name)
        values, no_number_B = numbers(column, described)
        is_named = bool(_KEY.search(name))
        is_text = bool(2 * no_number_B.sum() > len(column))
        is_whole = is_named and bool(np.all(values == np.round(values)))
        if not (is_text or is_whole):
            continue
        num_keys = pc.count_distinct(texts(column, described)).as_py()
        is_key = is_named or (num_keys > 1 and not _LABEL.search(name))
        if is_key and ROWS_PER_KEY * num_keys <= len(column):
            found.append((not is_named, -num_keys, name))
    return [name for *_, name in sorted(found)]
