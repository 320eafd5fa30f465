"""What cannot be read is told with what mends it."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest

from streamssl.codecs.arrow import ArrowDecoder
from streamssl.codecs.dead_letters import REASONS
from streamssl.codecs.json import JsonDecoder
from streamssl.codecs.remedies import (
    NUMBER_AS_TEXT,
    OBJECT,
    OTHER_FIELDS,
    REMEDIES,
    ROLES,
    TEXT,
    UNDECIDED,
    remedy,
    remedy_of,
)
from streamssl.config.paths import Tree, dotted
from streamssl.config.sections import InputConfig
from streamssl.data.events import DeadLetter, Message, Slice


def test_every_reason_has_a_remedy() -> None:
    """No reason leaves an operator alone, and none is made up."""
    assert set(REMEDIES) == set(REASONS)


FURTHER = (NUMBER_AS_TEXT, OBJECT, OTHER_FIELDS, TEXT, UNDECIDED, *ROLES.values())


@pytest.mark.parametrize("told", [*map(remedy, REASONS), *FURTHER])
def test_the_settings_that_a_remedy_names_exist(told: str) -> None:
    """A remedy that names no setting of this version would be worse than none."""
    settings = {dotted(path) for path, _ in Tree().settings()}
    named = re.findall(r"\b(?:app|input|modality)\.[a-z_]+", told)
    assert set(named) <= settings


FIELDS = ("rpm", "pressure", "valve")
TOLERANT = {"on_bad_field": "missing", "numbers_as_text": True}


def letter_of(value: bytes, *, required: bool = False, **config: Any) -> DeadLetter:
    """The dead letter of a message under a configuration of the input."""
    decoder: Any = ArrowDecoder if config.pop("arrow", False) else JsonDecoder
    message = Message(0, 0, b"k", value, 1_700_000_000_000)
    found = decoder(
        topic="plant",
        fields=config.pop("fields", FIELDS),
        input=InputConfig(topic="plant", **config),
        required=required,
    ).decode(Slice(0, 1, 0, 1, [message]), None)
    (letter,) = found.dead_letters
    return letter


CASES: dict[str, tuple[bytes, dict[str, Any], str, str]] = {
    "time is an array": (
        b'{"time":[1],"rpm":1}',
        {"time_field": "time", **TOLERANT},
        "field 'time' (input.time_field) is an array",
        ROLES["time_field"],
    ),
    "time is null": (
        b'{"time":null,"rpm":1}',
        {"time_field": "time"},
        "field 'time' (input.time_field) is null",
        ROLES["time_field"],
    ),
    "no object": (b"[1,2,3]", {}, "the message is an array, no object", OBJECT),
    "key with a fraction": (
        b'{"machine":7.5,"rpm":1}',
        {"key_field": "machine"},
        "field 'machine' (input.key_field) is a number with a fraction",
        ROLES["key_field"],
    ),
    "key is null": (
        b'{"machine":null,"rpm":1}',
        {"key_field": "machine"},
        "field 'machine' (input.key_field) is null",
        ROLES["key_field"],
    ),
    "key field misspelt": (
        b'{"machine":"m","rpm":1}',
        {"key_field": "machne"},
        "no field 'machne' (input.key_field); there are 'machine', 'rpm'",
        ROLES["key_field"],
    ),
    "null on the way to the key": (
        b'{"meta":null,"rpm":1}',
        {"key_field": "meta.id"},
        "field 'meta.id' (input.key_field): null is on the path to it",
        ROLES["key_field"],
    ),
    "no object on the way to the key": (
        b'{"meta":5,"rpm":1}',
        {"key_field": "meta.id", **TOLERANT},
        "field 'meta.id' (input.key_field): no object is on the path to it",
        ROLES["key_field"],
    ),
    "no array": (
        b'{"values":"1,2"}',
        {"values_field": "values", **TOLERANT},
        "field 'values' (input.values_field) is text",
        ROLES["values_field"],
    ),
    "none of the fields": (
        b'{"speed":1,"flow":2}',
        {},
        "carries none of the fields 'rpm', 'pressure', 'valve'; of its fields 'speed' is a number",
        OTHER_FIELDS,
    ),
    "none of the required fields": (
        b'{"speed":1,"flow":2}',
        {"required": True},
        "carries none of the fields 'rpm', 'pressure', 'valve'",
        OTHER_FIELDS,
    ),
    "none of many fields": (
        b"{}",
        {"fields": tuple("abcdefgh")},
        "carries none of the fields 'a', 'b', 'c', 'd', 'e' and 3 more",
        OTHER_FIELDS,
    ),
    "a required field is null": (
        b'{"rpm":null,"pressure":1,"valve":2}',
        {"required": True},
        "field 'rpm' is null",
        REMEDIES["missing_field"],
    ),
    "text": (b'{"rpm":"1480"}', {}, "field 'rpm' is text", NUMBER_AS_TEXT),
    "an array": (b'{"rpm":[1]}', {}, "field 'rpm' is an array", REMEDIES["wrong_type"]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_remedy_is_right_for_its_case(name: str) -> None:
    """The detail says the field and its meaning, the remedy what mends this very message."""
    value, config, detail, told = CASES[name]
    letter = letter_of(value, **config)
    assert letter.detail.startswith(detail)
    assert remedy_of(letter) == told


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[1]])
def test_no_setting_is_proposed_that_is_in_force_or_helps_not(name: str) -> None:
    """`on_bad_field: missing` is for numbers, and for those that need not be there."""
    value, config, _, _ = CASES[name]
    letter = letter_of(value, **config)
    assert "on_bad_field" not in letter.detail + remedy_of(letter)
    if not config.get("required"):
        assert "modality.required" not in remedy_of(letter)


@pytest.mark.parametrize(
    ("columns", "config", "detail", "told"),
    [
        ({"rpm": ["1480"]}, {}, "field 'rpm' holds string", NUMBER_AS_TEXT),
        ({"rpm": [1.0], "m": [7.5]}, {"key_field": "m"}, "field 'm' holds", ROLES["key_field"]),
        ({"rpm": [1.0]}, {"key_field": "m"}, "no column 'm'", ROLES["key_field"]),
        ({"rpm": [1.0]}, {"time_field": "at"}, "no column 'at'", ROLES["time_field"]),
        ({"speed": [1.0]}, {}, "has none of the columns 'rpm', 'pressure'", OTHER_FIELDS),
    ],
)
def test_an_arrow_message_has_the_same_remedies(
    columns: dict[str, list[Any]], config: dict[str, Any], detail: str, told: str
) -> None:
    """A codec is no reason to propose another thing."""
    sink = pa.BufferOutputStream()
    batch = pa.RecordBatch.from_pydict(columns)
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    letter = letter_of(sink.getvalue().to_pybytes(), arrow=True, **config)
    assert letter.detail.startswith(detail)
    assert remedy_of(letter) == told
