"""One JSON object as it is before the columns of its stream are known."""

from __future__ import annotations

import math

import msgspec
import pyarrow as pa

from streamssl.codecs.cells import parse_numbers
from streamssl.codecs.fields import array_names
from streamssl.codecs.json_fields import (
    Fields,
    is_array_of_numbers,
    nested_fields,
    raw_at,
    raw_fields,
)
from streamssl.codecs.rows import size_fault
from streamssl.config.sections import InputConfig
from streamssl.data.channels import Cell, Kind, SampledEvent
from streamssl.data.events import Message
from streamssl.data.times import parse_times

_UNREADABLE = (msgspec.DecodeError, RecursionError, ValueError, OverflowError)


def sampled_object(message: Message, config: InputConfig) -> SampledEvent | None:
    """The fields of a message that is one JSON object of a sensible size, else None."""
    if size_fault(message, config) or message.value is None:
        return None
    try:
        raw = raw_fields(message.value)
        cells = _cells(raw, config)
        if config.values_field is not None:
            cells = _array(raw_at(raw, config.values_field) or b"[]", config.values_field)
    except _UNREADABLE:
        return None
    key, time_s = _key(message, raw, config), _time_s(message, raw, config)
    if key is None or math.isnan(time_s):
        return None
    return SampledEvent(message.partition, key, time_s, cells)


def _cells(raw: Fields, config: InputConfig) -> dict[str, Cell]:
    """The fields, and what is in objects by its path; a field of the whole name counts first."""
    cells: dict[str, Cell] = {}
    inner: dict[str, Cell] = {}
    for name, value in raw.items():
        if bytes(value)[:1] == b"{":
            leaves = dict(nested_fields(raw_fields(bytes(value)), f"{name}."))
            inner |= {path: _inner_cell(bytes(leaf), config) for path, leaf in leaves.items()}
            inner |= {} if leaves else {name: Kind.NESTED}
        else:
            cells[name] = _cell(bytes(value), config)
    return cells | {path: cell for path, cell in inner.items() if cells.get(path) is None}


def _inner_cell(value: bytes, config: InputConfig) -> Cell:
    found = _cell(value, config)
    return Kind.NESTED if isinstance(found, float) else found


def _cell(value: bytes, config: InputConfig) -> Cell:
    if value[:1] == b"{":
        return Kind.NESTED
    if value[:1] == b"[":
        return Kind.LIST if is_array_of_numbers(value) else Kind.RECORDS
    found = msgspec.json.decode(value)
    if isinstance(found, str) and config.numbers_as_text:
        number_B, no_number_B = parse_numbers(pa.array([found], pa.utf8()))
        found = found if no_number_B[0] else float(number_B[0])
    if found is None or isinstance(found, str):
        return found
    number = float(found)
    return number if math.isfinite(number) else None


def _array(value: bytes, values_field: str) -> dict[str, Cell]:
    """The numbers of an array by their places; nothing where it is no array of numbers."""
    cells: list[Cell] = [
        None if number is None else float(number)
        for number in msgspec.json.decode(value, type=list[float | bool | None])
    ]
    return dict(zip(array_names(values_field, len(cells)), cells, strict=True))


def _key(message: Message, raw: Fields, config: InputConfig) -> str | None:
    if config.key_field is None:
        return (message.key or b"").decode(errors="replace")
    key = raw_at(raw, config.key_field)
    return None if key is None else key.decode()


def _time_s(message: Message, raw: Fields, config: InputConfig) -> float:
    if config.time_field is None:
        return message.timestamp_ms / 1e3
    value = _cell(raw_at(raw, config.time_field) or b"null", config)
    return float(parse_times([value])[0]) if isinstance(value, (float, str)) else math.nan
