"""A backtest shows what production does: the same lines give the same events and dead letters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamssl.codecs.registry import build_codec
from streamssl.config import Config
from streamssl.data.events import Decoded, Message, Slice
from streamssl.engine.backtest import columns_of
from streamssl.transport.files import FileTransport

NAN = float("nan")
FRAME = b"\0\0\0\0\x09"
LINES: list[Any] = [
    {"ts": 1, "id": "m1", "a": 1.5, "b": 2, "s": "x", "motor": {"rpm": 900}},
    {"ts": 2, "id": "m1", "a": NAN, "b": 3, "motor": {"rpm": "901"}},
    {"ts": 3, "id": "m2", "a": "2.5", "b": 4},
    {"ts": 4, "id": 7, "a": {"x": 1}, "b": 5},
    {"ts": 5, "id": "m2", "a": float("inf"), "b": 6},
    {"ts": "2026-03-01T08:00:00Z", "id": "m2", "a": True, "b": None},
    {"ts": "yesterday", "id": "m2", "a": 1, "b": 1},
    {"id": "m2", "a": 1, "b": 1},
    {"ts": 8, "a": 1, "b": 1},
    {"ts": 9, "id": "k" * 300, "a": 1, "b": 1},
    {"ts": 10, "id": "m1", "other": 1},
    {"ts": 11, "id": "m1", "a": 3, "late": 5},
    FRAME + b'{"ts":12,"id":"m1","a":4,"b":NaN}',
    FRAME + b"\x02\x08Avro",
    b"{bad",
    b"[1]",
    b'{"ts":13,"id":"\xff","a":1}',
    b'{"ts":14,"id":"m1","a":1e999}',
    b'{"ts":15,"id":"m1","a":1,"a":9}',
    b'{"ts":16,"id":"m1","a":' + b"[" * 9_000 + b"}",
]
CONFIGS: dict[str, dict[str, Any]] = {
    "auto": {},
    "named": {"modality": {"fields": ["b", "a"]}},
    "paths": {"modality": {"fields": ["motor.rpm", "a"]}, "input": {"key_field": "id"}},
    "required": {"modality": {"fields": ["a", "b"], "required": True}},
    "tolerant": {"input": {"on_bad_field": "missing", "numbers_as_text": True}},
    "times and keys": {"input": {"time_field": "ts", "key_field": "id"}},
    "all": {
        "modality": {"fields": ["a", "b", "motor.rpm", "late"]},
        "input": {
            "time_field": "ts",
            "key_field": "id",
            "on_bad_field": "missing",
            "numbers_as_text": True,
            "max_message_bytes": 5_000,
        },
    },
}


def encoded(line: Any) -> bytes:
    return line if isinstance(line, bytes) else json.dumps(line).encode()


def from_topic(config: Config, lines: list[bytes]) -> Decoded:
    """What the daemon's decoder makes of the lines as messages."""
    decoder = build_codec(config).decoder
    items = [Message(0, at, None, line, at * 1_000) for at, line in enumerate(lines)]
    piece = Slice(0, 1, 0, len(items), items)
    return decoder.decode(piece, decoder.named or decoder.choose([decoder.sample(piece)]).schema)


def from_file(config: Config, lines: list[bytes], folder: Path) -> Decoded:
    """What a backtest's decoder makes of the lines as a file."""
    source = folder / "events.jsonl"
    source.write_bytes(b"\n".join(lines) + b"\n")
    transport = FileTransport(source, folder / "out.csv")
    choice, decoder = columns_of(config, transport)
    items = [message for piece in transport.scan() for message in piece]
    return decoder.decode(Slice(0, 1, 0, len(items), items), choice.schema)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_same_bytes_are_the_same_events(tmp_path: Path, name: str) -> None:
    """Values, keys, times, dead letters with their reasons, and what is missing: all alike."""
    config = Config(**CONFIGS[name])
    lines = [*map(encoded, LINES)] * 2
    live, file = from_topic(config, lines), from_file(config, lines, tmp_path)
    assert live.batch.fields == file.batch.fields
    np.testing.assert_array_equal(live.batch.values_BC, file.batch.values_BC)
    assert live.batch.keys.equals(file.batch.keys)
    for column in ("offset", "index", "event_time"):
        np.testing.assert_array_equal(getattr(live.batch, column), getattr(file.batch, column))
    assert live.dead_letters == file.dead_letters
    assert live.bad_fields == file.bad_fields
    assert len(live.batch) + len(live.dead_letters) == len(lines)


def test_what_tolerance_costs(tmp_path: Path) -> None:
    """By choice all that can be placed in time is scored; the rest says why it is not."""
    lines = [*map(encoded, LINES)]
    named = {"modality": {"fields": ["a", "b"]}} | CONFIGS["times and keys"]
    strict = from_file(Config(**named), lines, tmp_path)
    tolerant = from_file(Config(**CONFIGS["all"]), lines, tmp_path)
    assert (len(strict.batch), len(tolerant.batch)) == (6, 10)
    assert {bad.offset: bad.reason for bad in tolerant.bad_fields} == {
        3: "wrong_type",
        4: "not_finite",
        17: "not_finite",
    }
