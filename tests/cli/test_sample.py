"""What `validate --online` says of a sample: channels, keys, times, dead letters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamssl.cli.sample import sample_report
from streamssl.codecs.dead_letters import REASONS
from streamssl.codecs.remedies import REMEDIES
from streamssl.config import Config
from streamssl.data.events import Message, Slice

NOW_S = 1_750_000_000.0
NUM_EVENTS = 40


def event(number: int, **more: Any) -> dict[str, Any]:
    return {"rpm": 9.5 - number % 3, "temp": 20.0 + number % 7} | more


def piece(values: list[Any], partition: int = 0, key: bytes | None = b"m0") -> Slice:
    """A slice of JSON messages a second apart, the last of which is of now."""
    data = [v if isinstance(v, bytes) else json.dumps(v).encode() for v in values]
    first_ms = int(NOW_S * 1e3) - 1_000 * (len(data) - 1)
    messages = [Message(partition, i, key, v, first_ms + 1_000 * i) for i, v in enumerate(data)]
    return Slice(partition, 0, 0, len(data), messages)


def report(*pieces: Slice, **sections: Any) -> str:
    """The report as one text, its broken lines joined."""
    return "\n".join(sample_report(Config.model_validate(sections), pieces, now_s=NOW_S))


def test_a_good_stream_has_nothing_to_be_mended() -> None:
    """Counts and facts, and no hint."""
    told = report(piece([event(i) for i in range(NUM_EVENTS)]), input={"topic": "t"})
    assert told.splitlines() == [
        "sample: the newest 40 messages of 1 partitions, read beside the group",
        "  channels: rpm, temp (auto, by this sample)",
        "  keys (the records' own): 1 in 40 events, 0 without one",
        "  times (the records' own): 2025-06-15T15:06:01Z to 2025-06-15T15:06:40Z, 0 s ago; "
        "in order",
        "  dead letters: 0, and 40 events, of 40 messages",
    ]


def test_an_empty_topic_is_told() -> None:
    """There is nothing to say of it."""
    assert report() == "sample: there is no message to look at"


def test_channels_are_those_that_auto_would_take() -> None:
    """What is left out is told with the setting; named channels that no message has, too."""
    values = [event(i, ts=NOW_S + i, site="A", note={"x": 1}) for i in range(NUM_EVENTS)]
    told = report(piece(values))
    assert "channels: rpm, temp (auto" in told
    assert "without ts: looks like a timestamp: set input.time_field" in told
    assert "without note.x: in an object: name the number by its path" in told
    told = report(piece(values), modality={"fields": ["rpm", "pressure"]})
    assert "channels: rpm, pressure (modality)" in told
    assert "no message has pressure: correct the names in the section modality" in told
    assert "without temp: holds numbers, but is no channel" in told
    assert "input.codec" in report(piece([b"\x00\x01"] * 3))


def test_keys_that_defeat_their_purpose_are_told() -> None:
    """Records without a key, one key in two partitions, a key for every event."""
    named = [event(i, machine=f"m{i % 4}") for i in range(NUM_EVENTS)]
    told = report(piece(named, key=None))
    assert "0 in 40 events, 40 without one" in told
    assert "set input.key_field" in told
    assert "machine may be it" in told
    told = report(piece(named), piece(named, partition=1), input={"key_field": "machine"})
    assert "keys (machine): 4 in 80 events, 0 without one" in told
    assert "in several partitions, each of which learns it anew: m0, m1, m2, m3" in told
    each = [event(i, id=f"order-{i}") for i in range(NUM_EVENTS)]
    assert "a key of its own" in report(piece(each), input={"key_field": "id"})
    assert "a key of its own" not in report(piece(each))


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([NOW_S + 86_400 + i for i in range(NUM_EVENTS)], ["1.0 days ahead of now", "clock"]),
        ([NOW_S / 1e3 + i for i in range(NUM_EVENTS)], ["long ago", "input.time_field"]),
        ([NOW_S - i for i in range(NUM_EVENTS)], ["39 older than the event before", "in order"]),
        ([NOW_S] * NUM_EVENTS, ["of one moment", "input.time_field"]),
    ],
)
def test_times_that_are_odd_are_told(times: list[float], words: list[str]) -> None:
    """In the future, of another unit, out of order, all the same."""
    values = [event(i, at=time_s) for i, time_s in enumerate(times)]
    told = report(piece(values), input={"time_field": "at"})
    assert "times (at):" in told
    assert all(word in told for word in words), told


def test_would_be_dead_letters_are_told_by_reason_with_what_mends_them() -> None:
    """How many, the first as an example, and the setting."""
    values = [event(i) for i in range(NUM_EVENTS)] + [b"{", b"[1]", {"rpm": "9.5"}, b"{"]
    lines = report(piece(values)).splitlines()
    assert "  dead letters: 4, and 40 events, of 44 messages" in lines
    (bad_json,) = [n for n, line in enumerate(lines) if line.startswith("    2 bad_json (first at")]
    assert "partition 0, offset 40" in lines[bad_json]
    assert REMEDIES["bad_json"] in lines[bad_json + 1]
    assert REMEDIES["wrong_type"] in "\n".join(lines)


def test_bad_fields_are_told_where_they_cost_only_themselves() -> None:
    """Under `input.on_bad_field: missing` they are no dead letters, and no secret either."""
    values = [event(i, rpm="x") if i % 2 else event(i) for i in range(NUM_EVENTS)]
    lines = report(
        piece(values),
        input={"on_bad_field": "missing"},
        modality={"fields": ["rpm", "temp"]},
    ).splitlines()
    (bad,) = [n for n, line in enumerate(lines) if line.startswith("  bad fields: 20 wrong_type")]
    assert REMEDIES["wrong_type"] in lines[bad + 1]
    assert "  dead letters: 0, and 40 events, of 40 messages" in lines


def test_every_reason_has_a_remedy() -> None:
    """The setting, or what to send."""
    assert set(REMEDIES) == set(REASONS)
