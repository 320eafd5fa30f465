"""The JSON object that a stream's events are: a typed parser, and its columns.

The type is built once from the field names, so that one pass of the parser checks every value
and leaves nothing to look at event by event. B = events, C = numbers of an event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET

from streamssl.codecs.cells import parse_numbers
from streamssl.codecs.dead_letters import Fault
from streamssl.codecs.json_fields import raw_at, raw_fields
from streamssl.codecs.json_text import FRAME_BYTES, decode_mended, frame_id, likely_kind
from streamssl.codecs.json_type import Anything, Number, Place, Wanted, typed_decoder
from streamssl.codecs.rows import Faults, text_batch
from streamssl.codecs.texts import byte_lengths, long_texts
from streamssl.config.sections import InputConfig
from streamssl.data.events import BoolArray, FloatArray, Schema
from streamssl.data.number_texts import told_text

Text = str | int | float | bool
NumberColumns = tuple[FloatArray, BoolArray | None, Faults]
_EXPECTED = re.compile(r"Expected .*, got `(\w+)` - at `\$\.(.+)`")
_KINDS = {"str": "text", "object": "an object", "array": "an array"}
_WAYS_OUT = {
    "object": "modality.fields may name what it holds, such as {name}.x, ",
}
_NUMBERS = {float, bool, type(None)}


class JsonLayout:
    """How an event with the columns `schema` is written in JSON.

    Args:
        schema: Names of the columns.
        config: Where the time, the key and the array of values are, and how numbers may be written.
        required: Whether every column must be there and not null.
    """

    def __init__(self, *, schema: Schema, config: InputConfig, required: bool) -> None:
        self.schema = schema
        self._by_array = config.values_field is not None
        self._texts_as_numbers = config.numbers_as_text
        is_open = config.on_bad_field == "missing" and not required
        self._strict = not (is_open or config.numbers_as_text)
        number = Anything if is_open else Number | str if config.numbers_as_text else Number
        wanted = _wanted(schema, config, number, required)
        self._decoder, places = typed_decoder(wanted, is_open=is_open)
        num_numbers = 1 if self._by_array else len(schema.fields)
        self._numbers, rest = places[:num_numbers], places[num_numbers:]
        self._texts, special = rest[: len(schema.texts)], iter(rest[len(schema.texts) :])
        self._time = next(special) if config.time_field is not None else None
        self._key = next(special) if config.key_field is not None else None
        self._config = config

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
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._parse_again(values, events, faults)
            else:
                return events, faults

    def _parse_again(self, values: Sequence[bytes], events: list[Any], faults: Faults) -> None:
        row = len(events) + len(faults)
        try:
            events.append(decode_mended(self._decoder.decode, values[row]))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            faults[row] = parse_fault(error, values[row])

    def number_values(self, events: Sequence[Any]) -> NumberColumns:
        """`[B, C]` values, NaN where null or absent.

        Returns:
            The values, True where there is something that is no number (None where that cannot
            be), and the rows with another count or without a field that must be there.
        """
        if self._by_array:
            return self._array_values(events)
        shape = len(events), len(self.schema.fields)
        values_BC, faults = np.empty(shape), Faults()
        wrong_BC = None if self._strict else np.zeros(shape, np.bool_)
        for column, place in enumerate(self._numbers):
            if self._strict and (known_B := _plain_numbers(place, events)) is not None:
                values_BC[:, column] = known_B
                continue
            cells = _set_cells(place, self.schema.fields[column], events, faults)
            values_BC[:, column], wrong_B = self._opened(cells)
            if wrong_BC is not None:
                wrong_BC[:, column] = wrong_B
        return values_BC, wrong_BC, faults

    def _array_values(self, events: Sequence[Any]) -> NumberColumns:
        width, faults = len(self.schema.fields), Faults()
        arrays = _set_cells(self._numbers[0], self._config.values_field or "", events, faults)
        arrays = [array if isinstance(array, list) else [] for array in arrays]
        count_B = np.fromiter(map(len, arrays), np.int64, len(arrays))
        for row in np.flatnonzero(count_B != width).tolist():
            fault = Fault("wrong_count", f"expected {width} values, got {count_B[row]}")
            faults.setdefault(row, fault)
            arrays[row] = [0.0] * width
        shape = len(arrays), width
        if self._strict:
            flat = _float64(partial(chain.from_iterable, arrays), len(arrays) * width)
            return flat.reshape(shape), None, faults
        flat, wrong = self._opened(list(chain.from_iterable(arrays)))
        return flat.reshape(shape), wrong.reshape(shape), faults

    def _opened(self, cells: list[Any]) -> tuple[FloatArray, BoolArray]:
        """Cells that may be no numbers: the numbers, and where there is something else."""
        kinds = set(map(type, cells))
        if kinds <= _NUMBERS:
            return np.array(cells, np.float64), np.zeros(len(cells), np.bool_)
        plain = [cell if type(cell) in _NUMBERS else None for cell in cells]
        values_B = np.array(plain, np.float64)
        wrong_B = np.array([type(cell) not in _NUMBERS for cell in cells])
        if self._texts_as_numbers and str in kinds:
            texts = [cell if isinstance(cell, str) else None for cell in cells]
            read_B, no_number_B = parse_numbers(pa.array(texts, pa.utf8()))
            is_text_B = np.array([text is not None for text in texts])
            values_B = np.where(is_text_B, read_B, values_B)
            wrong_B = np.where(is_text_B, no_number_B, wrong_B)
        return values_B, wrong_B

    def times(self, events: Sequence[Any]) -> tuple[list[float | str] | None, Faults]:
        """The times as they are written, None where the records' count; and rows without one."""
        return self._special(self._time, self._config.time_field, events, 0.0)

    def keys(self, events: Sequence[Any]) -> tuple[list[str | int] | None, Faults]:
        """The keys, None where the records' count; and rows without one."""
        return self._special(self._key, self._config.key_field, events, "")

    def _special(
        self, place: Place | None, name: str | None, events: Sequence[Any], instead: Any
    ) -> tuple[list[Any] | None, Faults]:
        faults = Faults()
        if place is None or name is None:
            return None, faults
        return _set_cells(place, name, events, faults, instead), faults

    def texts(
        self, values: Sequence[bytes], events: Sequence[Any]
    ) -> tuple[pa.RecordBatch | None, Faults]:
        """Text columns, null where null or absent, and the rows with a text that is too long."""
        columns, faults = [], Faults()
        for name, place in zip(self.schema.texts, self._texts, strict=True):
            absent = Faults()
            column = _strings(_set_cells(place, name, events, absent, None), name, values)
            faults = long_texts(name, byte_lengths(column)) | absent | faults
            columns.append(column)
        return text_batch(self.schema.texts, columns), faults

    def carries_no_column(self, value: bytes) -> bool:
        """Whether a readable message names none of the columns (an array is always named)."""
        if self._by_array:
            return False
        fields = raw_fields(value)
        wanted = (*self.schema.fields, *self.schema.texts)
        return all(raw_at(fields, name) is None for name in wanted)


def parse_fault(error: Exception, value: bytes = b"") -> Fault:
    """Why the parser refused a message, in words that name the way out."""
    text = str(error)
    if isinstance(error, RecursionError):
        return Fault("too_deep", "nested deeper than the parser goes")
    if not isinstance(error, msgspec.ValidationError):
        kind = likely_kind(value)
        return Fault(
            "bad_json", f"{text}; it looks like {kind}" if kind else _framed(value) or text
        )
    if "out of range" in text:
        return Fault("not_finite", text)
    missing = text.startswith("Object missing required field") or "got `null` - at" in text
    found = None if missing else _EXPECTED.match(text)
    if not found or found[1] not in _KINDS:
        return Fault("missing_field" if missing else "wrong_type", text)
    kind, name = found[1], found[2]
    ways = _text_way(name, value) if kind == "str" else _WAYS_OUT.get(kind, "").format(name=name)
    told = f"field {name!r} is {_KINDS[kind]}: {ways}input.on_bad_field: missing keeps the event"
    return Fault("wrong_type", told)


def _text_way(name: str, value: bytes) -> str:
    raw = raw_at(raw_fields(value), name) or b""
    text = msgspec.json.decode(raw) if raw[:1] == b'"' else ""
    way = told_text(text)
    return f"{way}, " if way else ""


def _framed(value: bytes) -> str | None:
    """What to say of a message that a schema registry framed and that holds no JSON."""
    schema_id = frame_id(value)
    if schema_id is None:
        return None
    return (
        f"framed by a schema registry (byte 0, schema id {schema_id}), and what follows its "
        f"{FRAME_BYTES} bytes is no JSON (Avro, Protobuf?); have the producer write JSON"
    )


def _wanted(schema: Schema, config: InputConfig, number: Any, required: bool) -> list[Wanted]:
    text: Any = Text if required else Text | None
    number = number if required else number | None
    if config.values_field is not None:
        wanted = [Wanted(config.values_field, list[number])]
    else:
        # NaN, not None, where a number is absent: a column of numbers alone is read the fastest.
        absent = UNSET if required else float("nan")
        wanted = [Wanted(name, number, absent) for name in schema.fields]
    wanted += [Wanted(name, text, UNSET if required else None) for name in schema.texts]
    if config.time_field is not None:
        wanted.append(Wanted(config.time_field, float | str))
    if config.key_field is not None:
        wanted.append(Wanted(config.key_field, str | int))
    return wanted


def _set_cells(
    place: Place, name: str, events: Sequence[Any], faults: Faults, instead: Any = float("nan")
) -> list[Any]:
    """The cells of a field; rows that lack it where they must have it get a fault."""
    cells = place.cells(events)
    if place.inner is None or UNSET not in cells:
        return cells
    for row, cell in enumerate(cells):
        if cell is UNSET:
            faults[row] = Fault("missing_field", f"no field {name!r}, and no such path")
    return [instead if cell is UNSET else cell for cell in cells]


def _plain_numbers(place: Place, events: Sequence[Any]) -> FloatArray | None:
    """The numbers of a field, None where one that must be there is not, or null is on its path."""
    try:
        flat_B = _float64(partial(map, place.flat, events), len(events))
        if place.inner is None:
            return flat_B
        inner_B = _float64(partial(map, place.inner, events), len(events))
    except (TypeError, AttributeError):
        return None
    return np.where(np.isnan(flat_B), inner_B, flat_B)


def _float64(numbers: Callable[[], Iterable[Any]], count: int) -> FloatArray:
    try:
        return np.fromiter(numbers(), np.float64, count)
    except TypeError:  # has None, which becomes NaN: a little slower
        return np.array(list(numbers()), np.float64)


def _strings(cells: list[Any], name: str, values: Sequence[bytes]) -> pa.StringArray:
    try:
        return pa.array(cells, pa.utf8())
    except pa.ArrowTypeError:  # has numbers or booleans
        pairs = zip(cells, values, strict=True)
        return pa.array([_json_text(cell, name, value) for cell, value in pairs], pa.utf8())


def _json_text(cell: Text | None, name: str, value: bytes) -> str | None:
    if isinstance(cell, str | None):
        return cell
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    return (raw_at(raw_fields(value), name) or b"null").decode()
