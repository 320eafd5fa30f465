"""JSON events: one object a message, columns out.

B = events, C = channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from streamssl.codecs.columns import (
    MAX_AUTO_FIELDS,
    Faults,
    array_names,
    bad_time_fault,
    bad_times,
    channel_names,
    check_names,
    long_keys,
    parse_times,
    record_keys,
    rows_without,
    size_fault,
    size_faults,
)
from streamssl.codecs.dead_letters import Fault
from streamssl.codecs.json_layout import JsonLayout, array_length, numeric_names
from streamssl.config.sections import InputConfig
from streamssl.data.events import (
    DeadLetter,
    Decoded,
    EventBatch,
    Float32Array,
    FloatArray,
    Message,
    Slice,
)


class JsonDecoder:
    """JSON objects to columns, one event a message.

    The channels are fields of their own, `{"temperature": 21.5, "pressure": null}`, or one
    array, `{"values": [21.5, null]}` (`input.values_field`). Null or absent is missing; numbers
    are numbers or booleans (1 and 0), never text. Of a name that occurs twice the last counts.
    What one message is never depends on its neighbours.

    Args:
        topic: What the event ids begin with.
        fields: Names of the channels; `auto` has the first readable event decide them.
        input: Time, key, array of values, and limits.
        required: Whether an event that lacks a channel is a dead letter.
    """

    def __init__(
        self,
        *,
        topic: str,
        fields: Literal["auto"] | Sequence[str] = "auto",
        input: InputConfig,  # noqa: A002 (the YAML section's name)
        required: bool = False,
    ) -> None:
        self._topic = topic
        self._config = input
        self._required = required
        self._layout: JsonLayout | None = None
        self.fields = None if fields == "auto" else check_names(fields, input)

    @property
    def fields(self) -> tuple[str, ...] | None:
        """Names of the channels, None until the first readable event."""
        return self._layout.fields if self._layout else None

    @fields.setter
    def fields(self, fields: tuple[str, ...] | None) -> None:
        self._layout = None if fields is None else self._layout_of(fields)

    def decode(self, piece: Slice) -> Decoded:
        """The readable events of a slice, and a dead letter for every other message."""
        messages = piece.payload
        assert isinstance(messages, list), "rows of a file are for the table decoder"
        undecided: list[DeadLetter] = []
        while self._layout is None and len(undecided) < len(messages):
            undecided += self._decide(messages[len(undecided)])
        layout = self._layout or self._layout_of(())
        rest = self._decode(messages[len(undecided) :], layout)
        return Decoded(rest.batch, (*undecided, *rest.dead_letters))

    def _layout_of(self, fields: tuple[str, ...]) -> JsonLayout:
        return JsonLayout(fields=fields, config=self._config, required=self._required)

    def _decide(self, message: Message) -> tuple[DeadLetter, ...]:
        """Let a message decide the channels if it is readable, else give its dead letter."""
        layout = self._layout_of(self._proposed_fields(message))
        letters = self._decode([message], layout).dead_letters
        self._layout = None if letters else layout
        return letters

    def _proposed_fields(self, message: Message) -> tuple[str, ...]:
        if size_fault(message, self._config) or message.value is None:
            return ()
        try:
            if self._config.values_field is None:
                names = channel_names(numeric_names(message.value), self._config)
            else:
                array = self._config.values_field
                names = array_names(array, array_length(message.value, array))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ()
        return names if len(names) <= MAX_AUTO_FIELDS else ()

    def _decode(self, messages: Sequence[Message], layout: JsonLayout) -> Decoded:
        faults = size_faults(messages, self._config)
        # 1. Parse what has a sensible size.
        rows = _without(range(len(messages)), faults)
        events, found = layout.parse([messages[row].value or b"" for row in rows])
        faults |= {rows[at]: fault for at, fault in found.items()}
        rows = _without(rows, faults)
        parsed = [messages[row] for row in rows]
        # 2. Columns of what was parsed.
        keys, key_faults = self._keys(parsed, events)
        time_B, time_faults = self._times(parsed, events)
        values_BC, value_faults = self._values(parsed, events, layout)
        found = value_faults | time_faults | key_faults
        faults |= {rows[at]: fault for at, fault in found.items()}
        # 3. Events of the rows without fault, dead letters of the others.
        good = rows_without(found, len(rows))
        batch = EventBatch(
            self._topic,
            np.full(len(parsed), messages[0].partition if messages else 0, np.int64),
            np.array([message.offset for message in parsed], np.int64),
            np.zeros(len(parsed), np.int64),
            keys,
            time_B,
            layout.fields,
            values_BC,
        )
        letters = [DeadLetter(messages[row], None, *faults[row]) for row in sorted(faults)]
        return Decoded(batch if len(good) == len(batch) else batch.take(good), tuple(letters))

    def _keys(
        self, messages: Sequence[Message], events: Sequence[Any]
    ) -> tuple[pa.StringArray, Faults]:
        if self._config.key_field is None:
            return record_keys(messages, self._config)
        keys = pa.array(list(map(str, map(attrgetter("key"), events))), pa.utf8())
        return keys, long_keys(keys, self._config)

    def _times(
        self, messages: Sequence[Message], events: Sequence[Any]
    ) -> tuple[FloatArray, Faults]:
        if self._config.time_field is None:
            time_B = np.array([message.timestamp_ms for message in messages], np.float64) / 1e3
        else:
            time_B = parse_times(list(map(attrgetter("time"), events)))
        bad = np.flatnonzero(bad_times(time_B)).tolist()
        return time_B, dict.fromkeys(bad, bad_time_fault())

    def _values(
        self, messages: Sequence[Message], events: Sequence[Any], layout: JsonLayout
    ) -> tuple[Float32Array, Faults]:
        values_BC, faults = layout.channel_values(events)
        for row in np.flatnonzero(np.isinf(values_BC).any(axis=1)).tolist():
            name = layout.fields[int(np.isinf(values_BC[row]).argmax())]
            faults[row] = Fault("not_finite", f"field {name!r} is beyond the range of float32")
        for row in np.flatnonzero(np.isnan(values_BC).all(axis=1)).tolist():
            if not layout.fields or layout.carries_no_channel(messages[row].value or b""):
                faults[row] = Fault("missing_field", "carries none of the channels")
        return values_BC, faults


def _without(rows: Sequence[int], faults: Faults) -> list[int]:
    return [row for row in rows if row not in faults] if faults else list(rows)
