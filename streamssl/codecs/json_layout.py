"""The JSON object that a stream's events are: a typed parser, and its columns.

The type is built once from the field names, so that one pass of the parser checks every value
and leaves nothing to look at event by event. B = events, C = numbers of an event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from streamssl.codecs.dead_letters import Fault
from streamssl.codecs.json_fields import Number, on_fresh_stack, raw_fields
from streamssl.codecs.rows import Faults, text_batch
from streamssl.codecs.texts import byte_lengths, long_texts
from streamssl.config.sections import InputConfig
from streamssl.data.events import FloatArray, Message, Schema

Text = str | int | float | bool


class JsonLayout:
    """How an event with the columns `schema` is written in JSON.

    Args:
        schema: Names of the columns.
        config: Where the time, the key and the array of values are.
        required: Whether every column must be there and not null.
    """

    def __init__(self, *, schema: Schema, config: InputConfig, required: bool) -> None:
        self.schema = schema
        self._by_array = config.values_field is not None
        self._decoder = msgspec.json.Decoder(_event_type(schema, config, required))
        self._numbers = [attrgetter(f"c{i}") for i in range(len(schema.fields))]
        self._texts = [attrgetter(f"t{i}") for i in range(len(schema.texts))]

    def parse(self, values: Sequence[bytes]) -> tuple[list[Any], Faults]:
        """The readable objects, and a fault for every other message.

        One bad message costs one exception; the others go through the parser in one sweep.
        """
        events: list[Any] = []
        faults: Faults = {}
        rest = iter(values)
        while True:
            try:
                events.extend(map(self._decoder.decode, rest))
            except RecursionError:
                self._parse_again(values, events, faults)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                faults[len(events) + len(faults)] = parse_fault(error)
            else:
                return events, faults

    def _parse_again(self, values: Sequence[bytes], events: list[Any], faults: Faults) -> None:
        row = len(events) + len(faults)
        try:
            events.append(on_fresh_stack(self._decoder.decode, values[row]))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            faults[row] = parse_fault(error)

    def number_values(self, events: Sequence[Any]) -> tuple[FloatArray, Faults]:
        """`[B, C]` values, NaN where null or absent, and the rows with another count."""
        if not self._by_array:
            values_BC = np.empty((len(events), len(self.schema.fields)))
            for place, number in enumerate(self._numbers):
                values_BC[:, place] = _float64(partial(map, number, events), len(events))
            return values_BC, {}
        return self._array_values(list(map(attrgetter("values"), events)))

    def _array_values(self, arrays: list[list[Any]]) -> tuple[FloatArray, Faults]:
        width = len(self.schema.fields)
        count_B = np.fromiter(map(len, arrays), np.int64, len(arrays))
        faults: Faults = {}
        for row in np.flatnonzero(count_B != width).tolist():
            faults[row] = Fault("wrong_count", f"expected {width} values, got {count_B[row]}")
            arrays[row] = [0.0] * width
        flat = _float64(partial(chain.from_iterable, arrays), len(arrays) * width)
        return flat.reshape(len(arrays), width), faults

    def texts(
        self, messages: Sequence[Message], events: Sequence[Any]
    ) -> tuple[pa.RecordBatch | None, Faults]:
        """Text columns, null where null or absent, and the rows with a text that is too long."""
        columns, faults = [], Faults()
        for name, cell in zip(self.schema.texts, self._texts, strict=True):
            column = _strings(list(map(cell, events)), name, messages)
            faults = long_texts(name, byte_lengths(column)) | faults
            columns.append(column)
        return text_batch(self.schema.texts, columns), faults

    def carries_no_column(self, value: bytes) -> bool:
        """Whether a readable message names none of the columns (an array is always named)."""
        wanted = {*self.schema.fields, *self.schema.texts}
        return not (self._by_array or raw_fields(value).keys() & wanted)


def parse_fault(error: Exception) -> Fault:
    """Why the parser refused a message."""
    text = str(error)
    if isinstance(error, RecursionError):
        return Fault("too_deep", "nested deeper than the parser goes")
    if not isinstance(error, msgspec.ValidationError):
        return Fault("bad_json", text)
    if text.startswith("Number out of range"):
        return Fault("not_finite", text)
    missing = text.startswith("Object missing required field") or "got `null` - at" in text
    return Fault("missing_field" if missing else "wrong_type", text)


def _event_type(schema: Schema, config: InputConfig, required: bool) -> type[msgspec.Struct]:
    number: Any = Number if required else Number | None
    text: Any = Text if required else Text | None
    columns: list[Any] = []
    names: dict[str, str] = {}
    if config.values_field is not None:
        columns.append(("values", list[number]))
        names["values"] = config.values_field
    else:
        # NaN, not None, where a number is absent: a column of numbers alone is read the fastest.
        absent = () if required else (float("nan"),)
        columns += [(f"c{i}", number, *absent) for i in range(len(schema.fields))]
        names |= {f"c{i}": name for i, name in enumerate(schema.fields)}
    columns += [(f"t{i}", text, *(() if required else (None,))) for i in range(len(schema.texts))]
    names |= {f"t{i}": name for i, name in enumerate(schema.texts)}
    if config.time_field is not None:
        columns.append(("time", float | str))
        names["time"] = config.time_field
    if config.key_field is not None:
        columns.append(("key", str | int))
        names["key"] = config.key_field
    return msgspec.defstruct("Event", columns, rename=names, gc=False, kw_only=True)


def _float64(numbers: Callable[[], Iterable[Any]], count: int) -> FloatArray:
    try:
        return np.fromiter(numbers(), np.float64, count)
    except TypeError:  # has None, which becomes NaN: a little slower
        return np.array(list(numbers()), np.float64)


def _strings(cells: list[Any], name: str, messages: Sequence[Message]) -> pa.StringArray:
    try:
        return pa.array(cells, pa.utf8())
    except pa.ArrowTypeError:  # has numbers or booleans
        pairs = zip(cells, messages, strict=True)
        return pa.array([_json_text(cell, name, message) for cell, message in pairs], pa.utf8())


def _json_text(cell: Text | None, name: str, message: Message) -> str | None:
    if isinstance(cell, str | None):
        return cell
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    return bytes(raw_fields(message.value or b"")[name]).decode()
