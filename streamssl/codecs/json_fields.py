"""The fields of one JSON object, looked at by itself, whatever columns the stream has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from streamssl.codecs.json_text import decode_mended
from streamssl.data.number_texts import told_text

MAX_NAMES_SHOWN = 5
_FIRST_BYTES_OF_NUMBERS = b"-0123456789tf"
_KINDS = {
    b"{": "an object",
    b"[": "an array of no numbers: send each of its objects as an event",
}
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_numbers = msgspec.json.Decoder(list[float | bool | None])
Fields = Mapping[str, msgspec.Raw]


def raw_fields(value: bytes) -> dict[str, msgspec.Raw]:
    """Fields of a JSON object and their values as written; of a name twice the last.

    Raises:
        msgspec.DecodeError: It is no JSON object.
        RecursionError: It is nested too deeply.
    """
    fields: dict[str, msgspec.Raw] = decode_mended(_fields.decode, value)
    return fields


def raw_at(fields: Fields, name: str) -> bytes | None:
    """The value of the field of that name, or else at the end of that path; None without.

    Where null is on the path, that is what it leads to.
    """
    if name in fields:
        return bytes(fields[name])
    first, _, rest = name.partition(".")
    outer = bytes(fields.get(first, b"")) if rest else b""
    if outer[:1] == b"{":
        return raw_at(raw_fields(outer), rest)
    return outer if outer == b"null" else None


def nested_numbers(fields: Fields) -> Iterator[str]:
    """Paths of the numbers that are in objects, as `modality.fields` would name them.

    Example:
        >>> list(nested_numbers(raw_fields(b'{"rpm": 1, "motor": {"rpm": 2, "on": true}}')))
        ['motor.rpm', 'motor.on']
    """
    leaves = nested_fields(fields)
    return (path for path, raw in leaves if path not in fields and _looks_numeric(raw))


def nested_fields(fields: Fields, prefix: str = "") -> Iterator[tuple[str, msgspec.Raw]]:
    """All fields and those in objects, by their paths; an object has none of its own.

    Raises:
        msgspec.DecodeError: An object in them is none.
        RecursionError: They are nested too deeply.
    """
    for name, raw in fields.items():
        if bytes(raw)[:1] == b"{":
            yield from nested_fields(raw_fields(bytes(raw)), f"{prefix}{name}.")
        else:
            yield prefix + name, raw


def is_array_of_numbers(value: bytes) -> bool:
    """Whether an array may be all numbers of an event: it holds numbers, booleans and null."""
    try:
        _numbers.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def told_fields(value: bytes) -> str:
    """What the fields of a readable object are, where none of them is a number to be read."""
    fields = raw_fields(value)
    nested = list(nested_numbers(fields))[:MAX_NAMES_SHOWN]
    if nested:
        return f"it has numbers in objects: name them in modality.fields: {', '.join(nested)}"
    kinds = [f"{name!r} is {_kind(raw)}" for name, raw in fields.items()][:MAX_NAMES_SHOWN]
    return f"of its fields {', '.join(kinds)}" if kinds else "it has no fields at all"


def _kind(raw: msgspec.Raw) -> str:
    if bytes(raw)[:1] == b'"':
        way = told_text(msgspec.json.decode(raw, type=str))
        return f"text ({way})" if way else "text"
    if bytes(raw)[:1] == b"[" and is_array_of_numbers(bytes(raw)):
        return "an array (input.values_field)"
    return _KINDS.get(bytes(raw)[:1], "null" if bytes(raw) == b"null" else "a number")


def _looks_numeric(raw: msgspec.Raw) -> bool:
    return bytes(raw)[0] in _FIRST_BYTES_OF_NUMBERS
