"""Which fields of a stream are its channels: decided from its first events, each with a reason.

A field that holds numbers is a channel, unless it looks like a timestamp or a row number. What is
left out is told with a hint; fields that are named in the configuration are never asked about.

N = sampled events that have the field.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np

from streamssl.data.absent import absent_columns
from streamssl.data.counters import is_counter
from streamssl.data.dates import formats_of
from streamssl.data.heartbeats import heartbeat_fields
from streamssl.data.number_column import NumberColumn
from streamssl.data.number_texts import number_in
from streamssl.data.schema import FloatArray, Schema

# Events that decide: those of the first epoch.
FIRST_EVENTS = 32
# Rows of a file or table among which they are looked for.
SAMPLE_ROWS = 1_000
MAX_FIELDS = 4_096
RARE_EVENTS = 2
DAY_S = 86_400.0
# Seconds since 1970 of the years 2000 to 2099.
_FIRST_S, _LAST_S = 946_684_800.0, 4_102_444_799.0
_UNITS = (1.0, 1e3, 1e6, 1e9)
_TIME_WORDS = frozenset({"time", "timestamp", "ts", "datetime", "date", "epoch", "unix", "t"})
_DATE = re.compile(r"(19|20)\d\d-?[01]\d-?[0-3]\d")


class Kind(enum.Enum):
    """What a value is that is neither number nor text."""

    NESTED = "nested"
    MOMENT = "time"
    LIST = "list"
    RECORDS = "records"
    DURATION = "duration"
    TIME_OF_DAY = "time_of_day"
    BYTES = "bytes"
    OTHER = "other"


Cell = float | str | Kind | None


class SampledEvent(NamedTuple):
    """One of the first events, as far as it can be read without knowing the columns.

    Attributes:
        partition: Where it came from.
        key: Its key, "" for none.
        time_s: Its event time, NaN where it is not known.
        cells: Fields and their values; NaN and None are missing.
    """

    partition: int
    key: str
    time_s: float
    cells: Mapping[str, Cell]

    def has_column(self, texts: Collection[str] = ()) -> bool:
        """Whether it has a number, or names one of the text columns."""
        return any(isinstance(cell, float) or name in texts for name, cell in self.cells.items())


class LeftOut(NamedTuple):
    """A field that is no channel.

    Attributes:
        name: Of the field.
        reason: One of `REASONS`.
        hint: Why, and what to do to have it otherwise.
    """

    name: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns of a stream, and what is none of them.

    Attributes:
        schema: The columns; None where no field can be one.
        left_out: Every other field, with the reason.
        num_events: Events that decided it; 0 where the configuration did.
        absent: Columns known before that no event carries, each with what may be meant.
    """

    schema: Schema | None
    left_out: tuple[LeftOut, ...] = ()
    num_events: int = 0
    absent: Mapping[str, str] = field(default_factory=dict)


REASONS: Mapping[str, str] = {
    "time": "looks like a timestamp: set input.time_field to it, or name it in modality.fields",
    "counter": "looks like a row number or a clock: name it in modality.fields where it is a "
    "measurement",
    "constant": "the same text in all of the first events",
    "text": "text, not numbers",
    "key": "text that repeats: set input.key_field to it where it names the machine or sensor",
    "numbers_as_text": "numbers written as text: input.numbers_as_text reads them",
    "number_format": "numbers with commas or groups of digits, in text: write 1234.5 (in CSV "
    "--decimal and --thousands say how they are written)",
    "nested": "in an object: name the number by its path in modality.fields",
    "list": "a list: set input.values_field to it where it holds all numbers of an event",
    "records": "a list, but not of numbers: send each object in it as an event of its own",
    "duration": "a duration: write it as a number, such as seconds",
    "time_of_day": "a time of day without a date: write a number, or a whole date as event time",
    "bytes": "bytes, neither numbers nor text",
    "other": "of a type that is neither a number nor text",
    "empty": "no value in the first events: name it in modality.fields where it is a measurement",
    "rare": "in very few of the first events: name it in modality.fields where it is a measurement",
    "heartbeat": "only in events without the other fields, and constant or counting (heartbeats?): "
    "name it in modality.fields where it is a measurement",
    "ignored": "left out by input.ignore_fields",
    "unnamed": "holds numbers, but is no channel: name it in modality.fields, and change the "
    "state's channels with `streamssl checkpoint migrate`",
    "too_many": f"beyond the first {MAX_FIELDS:,} fields: name the channels in modality.fields",
}


def choose(
    events: Sequence[SampledEvent],
    *,
    special: Collection[str] = (),
    ignored: Collection[str] = (),
    texts: Sequence[str] = (),
    typed: Collection[str] = (),
    required: bool = False,
) -> Choice:
    """The channels of a stream, by its first events.

    Args:
        events: Those of each partition in order.
        special: Fields with another meaning, such as time and key.
        ignored: Globs of fields that are left out.
        texts: Names of text columns, whatever the events hold.
        typed: Fields that are numbers by their type, even where they hold no value.
        required: Whether an event must have all channels: then only those of most events count.

    Example:
        >>> rows = [{"n": i + 0.0, "rpm": 9.5 - i % 3, "site": "A"} for i in range(32)]
        >>> choice = choose([SampledEvent(0, "", float("nan"), row) for row in rows])
        >>> choice.schema, [(name, reason) for name, reason, _ in choice.left_out]
        (Schema(fields=('rpm',), texts=()), [('n', 'counter'), ('site', 'constant')])
    """
    names = dict.fromkeys(name for event in events for name in event.cells)
    asked = [name for name in names if name not in {*special, *texts}]
    with np.errstate(over="ignore", invalid="ignore"):  # Differences of the largest numbers.
        reasons = {name: _reason(name, events, ignored, typed, required) for name in asked}
        reasons |= dict.fromkeys(_heartbeats(reasons, events, texts), "heartbeat")
    if "" not in reasons.values():  # Better a guess less than no channel at all.
        reasons |= {name: "" for name, reason in reasons.items() if reason == "counter"}
    taken = [name for name, reason in reasons.items() if not reason]
    reasons |= dict.fromkeys(taken[MAX_FIELDS:], "too_many")
    schema = Schema(tuple(taken[:MAX_FIELDS]), tuple(texts))
    left_out = tuple(LeftOut(name, word, REASONS[word]) for name, word in reasons.items() if word)
    return Choice(schema if events and any(schema) else None, left_out, len(events))


def against(choice: Choice, schema: Schema, carried: Collection[str] = ()) -> Choice:
    """What is left out where the columns were known before: fields that might be some, too.

    Args:
        choice: What the events alone would have decided.
        schema: The columns.
        carried: Names of all fields of the events; none where they have no names of their own.
    """
    fields = () if choice.schema is None else choice.schema.fields
    more = [LeftOut(name, "unnamed", REASONS["unnamed"]) for name in fields]
    left_out = tuple(left for left in (*choice.left_out, *more) if left.name not in schema.fields)
    absent = absent_columns((*schema.fields, *schema.texts), carried) if carried else {}
    return Choice(schema, left_out, absent=absent)


def is_ignored(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the globs of `input.ignore_fields` means a field."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _reason(
    name: str,
    events: Sequence[SampledEvent],
    ignored: Collection[str],
    typed: Collection[str],
    required: bool,
) -> str:
    """Why a field is no channel, "" where it is one."""
    if is_ignored(name, ignored):
        return "ignored"
    column = _column(name, events)
    cells = [event.cells.get(name) for event in events]
    others = [cell for cell in cells if isinstance(cell, (str, Kind))]
    if len(column.values_N) <= len(others):
        return _reason_of(others) if others else "" if name in typed else "empty"
    numbered = [events[row] for row in column.row_N.tolist()]
    if _is_time(column, np.array([event.time_s for event in numbered])):
        return "time"
    if is_counter(column):
        return "counter"
    least = len(events) / 2 if required else 0
    return "rare" if len(numbered) < least or _is_rare(numbered, events) else ""


def _reason_of(others: Sequence[str | Kind]) -> str:
    """Why a field without numbers is no channel."""
    kinds = [cell for cell in others if isinstance(cell, Kind)]
    if kinds:
        return kinds[0].value
    texts = [cell for cell in others if isinstance(cell, str)]
    if all(_DATE.match(text) for text in texts) or formats_of(texts):
        return "time"
    written = {number_in(text) for text in texts}
    if None not in written:
        return "numbers_as_text" if written == {"plain"} else "number_format"
    num_texts = len(set(texts))
    if num_texts == 1 and len(texts) > 1:
        return "constant"
    return "key" if num_texts <= len(texts) / 2 else "text"


def _heartbeats(
    reasons: Mapping[str, str], events: Sequence[SampledEvent], texts: Collection[str]
) -> list[str]:
    """Channels of events that measure nothing."""
    others = [row for row, event in enumerate(events) if any(event.cells.get(n) for n in texts)]
    fields = [_column(name, events) for name, reason in reasons.items() if not reason]
    channels = [column for column in fields if len(column.values_N)]
    return heartbeat_fields(channels, others=others, num_events=len(events))


def _column(name: str, events: Sequence[SampledEvent]) -> NumberColumn:
    """The numbers of a field, and where they came from."""
    cells = [event.cells.get(name) for event in events]
    rows = [
        row for row, cell in enumerate(cells) if isinstance(cell, float) and not math.isnan(cell)
    ]
    keys: dict[tuple[int, str], int] = {}
    places = [(events[row].partition, events[row].key) for row in rows]
    return NumberColumn(
        name,
        values_N=np.array([cells[row] for row in rows], np.float64),
        row_N=np.array(rows, np.int64),
        partition_N=np.array([partition for partition, _ in places], np.int64),
        key_N=np.array([keys.setdefault(place, len(keys)) for place in places], np.int64),
    )


def _is_time(column: NumberColumn, time_N: FloatArray) -> bool:
    """Seconds since 1970 or parts of them, dates as numbers, or a clock that only goes on."""
    is_named = bool(column.words() & _TIME_WORDS)
    if is_named and any(len(steps) > 1 and (steps > 0).all() for steps in column.steps()):
        return True
    values_N = column.values_N
    units = [u for u in _UNITS if ((values_N >= _FIRST_S * u) & (values_N <= _LAST_S * u)).all()]
    if not units and not _are_dates(values_N):
        return False
    rising = any((s >= 0).all() and (s > 0).any() for s in column.steps())
    near = any((np.abs(values_N / unit - time_N) <= DAY_S).all() for unit in units)
    return is_named or rising or near


def _are_dates(values_N: FloatArray) -> bool:
    """Whether all are dates as whole numbers, such as 20260301 or 20260301080000."""
    texts = [f"{value:.0f}" for value in values_N]
    return all(len(text) in (8, 12, 14) and _DATE.match(text) for text in texts)


def _is_rare(numbered: Sequence[SampledEvent], events: Sequence[SampledEvent]) -> bool:
    """In one or two of 32 events, and not what their keys send always."""
    if len(events) < FIRST_EVENTS or len(numbered) > RARE_EVENTS * len(events) / FIRST_EVENTS:
        return False
    keys = {(event.partition, event.key) for event in numbered}
    of_keys = sum((event.partition, event.key) in keys for event in events)
    return len(numbered) < of_keys / 2
