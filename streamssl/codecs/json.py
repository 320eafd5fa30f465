"""JSON events: one object a message, columns out.

B = events, C = numbers of an event.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from streamssl.codecs.bad_fields import FieldPolicy, Kept, bad_fields, named_detail
from streamssl.codecs.base import Sample
from streamssl.codecs.dead_letters import bad_time_fault
from streamssl.codecs.fields import NO_COLUMNS, choose_columns, named_schema
from streamssl.codecs.json_layout import JsonLayout
from streamssl.codecs.json_sample import sampled_object
from streamssl.codecs.json_text import FRAME_BYTES, frame_id
from streamssl.codecs.keys import long_keys, record_keys
from streamssl.codecs.other_fields import OtherFields
from streamssl.codecs.rows import Faults, Rows, events_of, size_faults
from streamssl.config.sections import InputConfig
from streamssl.data.channels import Choice
from streamssl.data.events import (
    BoolArray,
    DeadLetter,
    Decoded,
    FloatArray,
    Message,
    Schema,
    Slice,
)
from streamssl.data.times import bad_times, parse_times
from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)


class JsonDecoder:
    """JSON objects to columns, one event a message.

    The numbers are fields of their own, `{"temperature": 21.5, "pressure": null}`, or one
    array, `{"values": [21.5, null]}` (`input.values_field`). Null or absent is missing; they
    are numbers or booleans (1 and 0), never text. Texts are text, or numbers and booleans as they
    are written. Of a name that occurs twice the last counts. What one message is never depends on
    its neighbours.

    Args:
        topic: What the event ids begin with.
        fields: Names of the numbers; `auto` has the first events decide them (`choose`).
        texts: Names of the text columns.
        input: Time, key, array of values, and limits.
        required: Whether an event that lacks a column is a dead letter.
    """

    def __init__(
        self,
        *,
        topic: str,
        fields: Literal["auto"] | Sequence[str] = "auto",
        texts: Sequence[str] = (),
        input: InputConfig,  # noqa: A002 (the YAML section's name)
        required: bool = False,
    ) -> None:
        self._topic = topic
        self._config = input
        self._required = required
        self._texts = texts
        self._policy = FieldPolicy(input, required=required)
        self._told_frame = False
        self.named = named_schema(fields, texts, input)
        self._layout = self._new_layout(self.named or NO_COLUMNS)
        self._others = OtherFields()

    def decode(self, piece: Slice, schema: Schema | None) -> Decoded:
        """The readable events of a slice, and a dead letter for every other message."""
        messages = piece.payload
        assert isinstance(messages, list), "rows of a file are for the table decoder"
        schema = schema or self.named
        rest = self._decode(messages, schema or NO_COLUMNS)
        return replace(rest, schema=schema)

    def sample(self, piece: Slice) -> Sample:
        """The fields of the readable objects of a slice."""
        messages = piece.payload
        assert isinstance(messages, list), "rows of a file are for the table decoder"
        found = (sampled_object(message, self._config) for message in messages)
        events = [event for event in found if event is not None]
        by_array = self._config.values_field is not None
        return Sample(
            tuple(e for e in events if self.named is not None or e.has_column(self._texts)),
            names=frozenset() if by_array else frozenset().union(*(e.cells for e in events)),
        )

    def choose(self, samples: Sequence[Sample]) -> Choice:
        """The columns of a stream whose first events these are."""
        events = [event for sample in samples for event in sample.events]
        return choose_columns(
            events, input=self._config, texts=self._texts, required=self._required
        )

    def others(self, piece: Slice, known: Collection[str]) -> Counter[str]:
        """Fields that are not known, in some of the objects of a slice."""
        by_array = self._config.values_field is not None
        messages = [] if by_array else piece.payload
        assert isinstance(messages, list), "rows of a file are for the table decoder"
        return self._others.count(messages, known)

    def _new_layout(self, schema: Schema) -> JsonLayout:
        return JsonLayout(schema=schema, config=self._config, required=self._required)

    def _decode(self, messages: Sequence[Message], schema: Schema) -> Decoded:
        if self._layout.schema != schema:
            self._layout = self._new_layout(schema)
        layout, faults = self._layout, size_faults(messages, self._config)
        # 1. Parse what has a sensible size.
        rows = _without(range(len(messages)), faults)
        values = self._unframed([messages[row].value or b"" for row in rows])
        events, found = layout.parse(values)
        self._tell_frame(layout.frame)
        values = [values[at] for at in _without(range(len(rows)), found)] if found else values
        faults |= {rows[at]: fault for at, fault in found.items()}
        rows = _without(rows, faults)
        parsed = [messages[row] for row in rows]
        offset_B = np.array([message.offset for message in parsed], np.int64)
        # 2. Columns of what was parsed.
        columns, found, kept = self._columns(parsed, values, events)
        faults |= {rows[at]: fault for at, fault in found.items()}
        # 3. Events of the rows without fault, dead letters of the others.
        batch = events_of(
            columns,
            schema.fields,
            topic=self._topic,
            partition=messages[0].partition if messages else 0,
            offset=offset_B,
            index=0,
            faults=found,
        )
        letters = [DeadLetter(messages[row], None, *faults[row]) for row in sorted(faults)]
        return Decoded(batch, tuple(letters), None, bad_fields(kept, found, offset_B))

    def _unframed(self, values: list[bytes]) -> list[bytes]:
        """Values without a schema registry's frame, where the first has one before its JSON.

        What one message is does not depend on it: the parser looks past frames as well, later.
        """
        schema_id = frame_id(values[0]) if values else None
        if schema_id is None:
            return values
        if values[0][FRAME_BYTES : FRAME_BYTES + 1] == b"{":
            self._tell_frame(schema_id)
        return [_unframed(value) for value in values]

    def _tell_frame(self, schema_id: int | None) -> None:
        """Warn of frames once, whichever message has the first."""
        if schema_id is not None and not self._told_frame:
            self._told_frame = True
            tell(log, "framed", schema_id=schema_id)

    def _columns(
        self, messages: Sequence[Message], values: Sequence[bytes], events: Sequence[Any]
    ) -> tuple[Rows, Faults, Kept]:
        """The columns of readable objects, the faults of rows, and what they lack."""
        layout = self._layout
        keys, key_faults = self._keys(messages, events)
        time_B, time_faults = self._times(messages, events)
        texts, text_faults = layout.texts(values, events)
        values_BC, wrong_BC, faults = layout.number_values(events)
        judged = self._policy.judge(values_BC, wrong_BC, named_detail(layout.schema.fields))
        nothing_B = np.isnan(values_BC).all(axis=1) & _all_null(texts, len(events))
        for row in np.flatnonzero(nothing_B).tolist():
            if not any(layout.schema) or layout.carries_no_column(values[row]):
                faults[row] = layout.faults.no_column(values[row])
        found = text_faults | judged.faults | faults | time_faults | key_faults
        return Rows(keys, time_B, values_BC, texts), found, judged.kept

    def _keys(
        self, messages: Sequence[Message], events: Sequence[Any]
    ) -> tuple[pa.StringArray, Faults]:
        cells, faults = self._layout.keys(events)
        if cells is None:
            return record_keys(messages, self._config)
        keys = pa.array(list(map(str, cells)), pa.utf8())
        return keys, long_keys(keys, self._config) | faults

    def _times(
        self, messages: Sequence[Message], events: Sequence[Any]
    ) -> tuple[FloatArray, Faults]:
        cells, faults = self._layout.times(events)
        name = self._config.time_field or "timestamp"
        if cells is None:
            cells = [message.timestamp_ms for message in messages]
            time_B = np.array(cells, np.float64) / 1e3
        else:
            time_B = parse_times(cells)
        bad = np.flatnonzero(bad_times(time_B)).tolist()
        return time_B, {row: bad_time_fault(name, cells[row]) for row in bad} | faults


def _unframed(value: bytes) -> bytes:
    is_framed = frame_id(value) is not None and value[FRAME_BYTES : FRAME_BYTES + 1] == b"{"
    return value[FRAME_BYTES:] if is_framed else value


def _all_null(texts: pa.RecordBatch | None, num_rows: int) -> BoolArray:
    """`[B]` True where a row has no text."""
    all_B = np.ones(num_rows, np.bool_)
    for column in texts.columns if texts is not None else ():
        all_B &= column.is_null().to_numpy(zero_copy_only=False)
    return all_B


def _without(rows: Sequence[int], faults: Faults) -> list[int]:
    return [row for row in rows if row not in faults] if faults else list(rows)
