"""What became of a file's columns, and which of those that are unused look like time or key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamssl.codecs.cells import numbers, seconds, texts
from streamssl.codecs.table_fields import SAMPLE_ROWS, column_names
from streamssl.config.sections import InputConfig
from streamssl.data.arrow_types import is_moment
from streamssl.data.events import Schema

_TIME = re.compile(r"(?i)(^|[\W_])(date ?time|date|time ?stamp|time|ts|epoch)([\W_]|$)")
_KEY = re.compile(
    r"(?i)(^|[\W_])(asset|device|equipment|host|id|key|machine|motor|node|pump|sensor|serial|"
    r"station|tag|turbine|unit|vehicle)(s|id|no|name|[\W_]|$)"
)
_LABEL = re.compile(r"(?i)label|class|status|state|note|comment|mode|type|quality|alarm|error")
_EARLIEST_S, _LATEST_S = 631_152_000.0, 4_102_444_800.0  # 1990 to 2100
# A key comes back: this many rows or more for each on average.
ROWS_PER_KEY = 4


@dataclass(frozen=True)
class ColumnReport:
    """The columns of a file.

    Attributes:
        channels: Those that are scored.
        ignored: Those that are not used, with the reason.
        hints: Sentences on unused settings that seem to fit.
    """

    channels: tuple[str, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    hints: tuple[str, ...] = ()


def column_report(
    sample: pa.RecordBatch | None,
    schema: Schema,
    *,
    input: InputConfig,  # noqa: A002 (the YAML section's name)
) -> ColumnReport:
    """Say what the columns of a table are used for.

    Args:
        sample: Its first rows, None where it has none.
        schema: The columns that events have.
        input: Which columns are time and key, and which are ignored.
    """
    channels = (*schema.fields, *schema.texts)
    if sample is None:
        return ColumnReport(channels)
    sample = sample.slice(0, SAMPLE_ROWS)
    used = {*channels, input.time_field, input.key_field}
    names = column_names(sample.schema)
    ignored = {name: _reason(sample, name, input) for name in names if name not in used}
    hints = []
    if input.time_field is None:
        hints += _hint([n for n in names if _is_time(sample, n)], "a time", "--time-column")
    if input.key_field is None:
        hints += _hint(_keys(sample, names), "a key", "--key-column")
    return ColumnReport(channels, ignored, tuple(hints))


def _reason(sample: pa.RecordBatch, name: str, config: InputConfig) -> str:
    if any(fnmatchcase(name, pattern) for pattern in config.ignore_fields):
        return "by name"
    values, no_number_B = numbers(sample.column(name), sample.schema.field(name))
    if no_number_B.any():
        return "no numbers"
    return "empty" if np.isnan(values).all() else "not asked for"


def _hint(names: Sequence[str], what: str, option: str) -> list[str]:
    return [f"column {name!r} looks like {what}: {option} {name}" for name in names[:1]]


def _is_time(sample: pa.RecordBatch, name: str) -> bool:
    """Whether a column holds moments, ISO 8601, or what is named and grows like seconds."""
    column, described = sample.column(name), sample.schema.field(name)
    if is_moment(described.type):
        return True
    time_B = seconds(column, described)
    time_B = time_B[~np.isnan(time_B)]
    if not len(time_B) or 2 * len(time_B) < len(column):
        return False
    plausible = bool(((time_B >= _EARLIEST_S) & (time_B < _LATEST_S)).all())
    if numbers(column, described)[1].any():
        return plausible  # ISO 8601
    grows = bool((np.diff(time_B) >= 0).all() and time_B[-1] > time_B[0])
    return bool(plausible and (grows or _TIME.search(name)))


def _keys(sample: pa.RecordBatch, names: Sequence[str]) -> list[str]:
    """Columns whose values come back and are no measurements, the likeliest first."""
    found = []
    for name in names:
        column, described = sample.column(name), sample.schema.field(name)
        values, no_number_B = numbers(column, described)
        is_named = bool(_KEY.search(name))
        is_text = bool(2 * no_number_B.sum() > len(column)) and not _is_time(sample, name)
        is_whole = is_named and bool(np.all(values == np.round(values)))
        num_keys = pc.count_distinct(texts(column, described)).as_py()
        if not (is_text or is_whole) or ROWS_PER_KEY * num_keys > len(column):
            continue
        if is_named or (num_keys > 1 and not _LABEL.search(name)):
            found.append((not is_named, -num_keys, name))
    return [name for *_, name in sorted(found)]
