"""Why a message is no event, in words that name the field, what it is for, and the way out."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from streamssl.codecs.dead_letters import MAX_NAMES_SHOWN, Fault
from streamssl.codecs.json_fields import raw_at, raw_fields, told_fields
from streamssl.codecs.json_text import FRAME_BYTES, frame_id, likely_kind
from streamssl.codecs.remedies import (
    NUMBER_AS_TEXT,
    OBJECT,
    OTHER_FIELDS,
    ROLES,
    TEXT,
    UNDECIDED,
)
from streamssl.config.sections import InputConfig
from streamssl.data.events import Schema
from streamssl.data.listing import listed
from streamssl.data.number_texts import told_text

_EXPECTED = re.compile(r"Expected .*, got `(\w+)`(?: - at `\$\.?(.*)`)?")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_KINDS = {
    "str": "text",
    "object": "an object",
    "array": "an array",
    "int": "a whole number",
    "float": "a number with a fraction",
    "bool": "true or false",
    "null": "null",
}


class JsonFaults:
    """Tells faults of JSON events as the configuration reads them.

    Args:
        schema: Names of the columns.
        config: What is time, key and array of values, and what is tolerated.
        required: Whether an event must have all columns.
    """

    def __init__(self, *, schema: Schema, config: InputConfig, required: bool) -> None:
        self._schema = schema
        self._roles = {name: role for role, name in config.special_fields().items()}
        self._may_keep = config.on_bad_field == "reject" and not required

    def unparsed(self, error: Exception, value: bytes = b"") -> Fault:
        """Why the parser refused a message."""
        text = str(error)
        if isinstance(error, RecursionError):
            return Fault("too_deep", "nested deeper than the parser goes")
        if not isinstance(error, msgspec.ValidationError):
            kind = likely_kind(value)
            told = f"{text}; it looks like {kind}" if kind else _framed(value) or text
            return Fault("bad_json", told)
        if "out of range" in text:
            return Fault("not_finite", text)
        if absent := _MISSING.match(text):
            return self._absent(absent[1], value)
        found = _EXPECTED.match(text)
        if not found or found[1] not in _KINDS:
            return Fault("wrong_type", text)
        if not found[2]:
            return Fault("wrong_type", f"the message is {_KINDS[found[1]]}, no object", OBJECT)
        return self._wrong(found[2], found[1], value)

    def _absent(self, name: str, value: bytes) -> Fault:
        names, columns = _names(value), (*self._schema.fields, *self._schema.texts)
        has_column = any({column, column.partition(".")[0]} & {*names} for column in columns)
        if names and not has_column and self._role(name) is None:
            return self.no_column(value)
        return self.absent(name, names)

    def absent(self, name: str, names: Sequence[str] = ()) -> Fault:
        """A field that must be there is not.

        Args:
            name: Of the field, or the path to it.
            names: Of the fields that are there.
        """
        role = self._role(name)
        there = f"; there are {listed(map(repr, names), MAX_NAMES_SHOWN)}" if names else ""
        path = ", and no such path" if "." in name else ""
        return Fault("missing_field", f"no field {name!r}{_told(role)}{path}{there}", _remedy(role))

    def no_column(self, value: bytes) -> Fault:
        """A message carries none of the columns."""
        wanted = [*self._schema.fields, *self._schema.texts]
        if not wanted:
            told = f"carries no field to learn from; {told_fields(value)}"
            return Fault("missing_field", told, UNDECIDED)
        names = listed(map(repr, wanted), MAX_NAMES_SHOWN)
        told = f"carries none of the fields {names}; {told_fields(value)}"
        return Fault("missing_field", told, OTHER_FIELDS)

    def off_path(self, name: str, *, is_null: bool) -> Fault:
        """Null, or something that is no object, is on the path to a field that must be there."""
        role, found = self._role(name), "null" if is_null else "no object"
        told = f"field {name!r}{_told(role)}: {found} is on the path to it"
        return Fault("missing_field" if is_null else "wrong_type", told, _remedy(role))

    def _wrong(self, name: str, kind: str, value: bytes) -> Fault:
        role, reason = self._role(name), "missing_field" if kind == "null" else "wrong_type"
        told = f"field {name!r}{_told(role)} is {_KINDS[kind]}"
        number = _told_number(name, value) if kind == "str" else ""
        ways = self._ways(name, kind, number) if role is None else ""
        remedy = TEXT if name in self._schema.texts and kind != "null" else _remedy(role)
        if ways and "numbers_as_text" in number:
            remedy = NUMBER_AS_TEXT
        return Fault(reason, f"{told}: {ways}" if ways else told, remedy)

    def _ways(self, name: str, kind: str, number: str) -> str:
        """The settings under which a field that is no number does not cost the event."""
        if kind == "null" or name in self._schema.texts:
            return ""
        ways = [number] if number else []
        if kind == "object":
            ways.append(f"modality.fields may name what it holds, such as {name}.x")
        if self._may_keep:
            ways.append("input.on_bad_field: missing keeps the event")
        return ", ".join(ways)

    def _role(self, name: str) -> str | None:
        """What a field is for, where it is no column: time, key, or the array itself."""
        for special, role in self._roles.items():
            if name == special or special.startswith(f"{name}."):
                return role
        return None


def _told_number(name: str, value: bytes) -> str:
    """What becomes of the number in a field's text; "" where it holds none."""
    raw = raw_at(raw_fields(value), name) or b""
    return told_text(msgspec.json.decode(raw)) if raw[:1] == b'"' else ""


def _told(role: str | None) -> str:
    return f" (input.{role})" if role else ""


def _remedy(role: str | None) -> str:
    return ROLES[role] if role else ""


def _names(value: bytes) -> list[str]:
    """Names of a message's fields; none where something after them is no JSON."""
    try:
        return list(raw_fields(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _framed(value: bytes) -> str | None:
    """What to say of a message that a schema registry framed and that holds no JSON."""
    schema_id = frame_id(value)
    if schema_id is None:
        return None
    return (
        f"framed by a schema registry (byte 0, schema id {schema_id}), and what follows its "
        f"{FRAME_BYTES} bytes is no JSON (Avro, Protobuf?); have the producer write JSON"
    )
