"""Dead letters in the log: an example and a remedy for each kind, then a sum a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamssl.codecs.json import JsonDecoder
from streamssl.config.sections import InputConfig
from streamssl.data.events import DeadLetter, Message, Slice
from streamssl.engine.dead_letter_log import MAX_TOLD, SAMPLE_BYTES, DeadLetterLog
from streamssl.telemetry import Health
from tests.engine.world import World
from tests.log_lines import log_lines, named


def letter(
    value: bytes, offset: int = 0, reason: str = "wrong_type", detail: str = "rpm is a text"
) -> DeadLetter:
    return DeadLetter(Message(2, offset, b"k", value), None, reason, detail)


def made(value: bytes, offset: int = 0, **input: Any) -> DeadLetter:  # noqa: A002
    """The dead letter that the daemon makes of a value."""
    config = InputConfig(topic="plant", **input)
    decoder = JsonDecoder(topic="plant", fields=["rpm", "pressure", "valve"], input=config)
    message = Message(2, offset, b"k", value, 1_700_000_000_000)
    (found,) = decoder.decode(Slice(2, 1, offset, offset + 1, [message]), None).dead_letters
    return found


def test_the_first_of_a_kind_has_a_sample_and_a_remedy() -> None:
    """2,400 of 2,400 unreadable: one warning with an example, and a summary a minute."""
    now = [0.0]
    log = DeadLetterLog(topic="plant", samples=True, clock=lambda: now[0])
    with log_lines() as lines:
        for minute in range(3):
            log.observe([letter(b'{"rpm": "1480"}', i) for i in range(800)], num_events=200)
            log.turned()
            now[0] = 60.0 * (minute + 1)
            log.turned()
        now[0] = 300.0
        log.turned()  # nothing came: nothing is said
    (first,) = named(lines, "dead_letter")
    assert first["level"] == "WARNING"
    assert (first["topic"], first["partition"], first["offset"]) == ("plant", 2, 0)
    assert first["sample"] == '{"rpm": "1480"}'
    assert "rpm is a text" in first["message"]
    assert first["remedy"] in first["message"]
    sums = [(x["num"], x["num_inputs"], x["reasons"]) for x in named(lines, "dead_letters")]
    assert sums == [(800, 1_000, {"wrong_type": 800})] * 3


def test_each_reason_is_told_and_alone_not_summed_up() -> None:
    """What the first lines said already is not said again."""
    log = DeadLetterLog(topic="plant", samples=True, clock=lambda: 0.0)
    with log_lines() as lines:
        log.observe([letter(b"{", reason="bad_json"), letter(b"", reason="empty")], num_events=5)
        log.turned(ending=True)
    assert [line["reason"] for line in lines] == ["bad_json", "empty"]


TEXT = b'{"rpm":"1480","pressure":"6.1","valve":"0.4"}'


def test_a_second_fault_of_the_same_reason_is_explained_too() -> None:
    """One array, then 2,000 numbers as text: the setting that mends 2,000 of 2,001 is named."""
    log = DeadLetterLog(topic="plant", samples=True, clock=lambda: 0.0)
    with log_lines() as lines:
        log.observe([], num_events=600)
        log.observe([made(b"[1,2]", 600)], num_events=0)
        for begin in range(601, 2_601, 250):
            log.observe([made(TEXT, offset) for offset in range(begin, begin + 250)], 0)
        log.turned(ending=True)
    array, text = named(lines, "dead_letter")
    assert (array["sample"], text["sample"]) == ("[1,2]", TEXT.decode())
    assert "input.numbers_as_text" in text["message"]
    (summed,) = named(lines, "dead_letters")
    assert (summed["num"], summed["num_commonest"]) == (2_001, 2_000)
    assert (summed["sample"], summed["offset"]) == (TEXT.decode(), 601)
    assert "input.numbers_as_text" in summed["message"]
    assert log.problem
    assert "input.numbers_as_text" in log.problem
    assert TEXT.decode() in log.problem


def test_lines_are_bounded_and_the_commonest_kind_is_found_among_many() -> None:
    """A producer with a fault of its own in every message neither fills log nor memory."""
    log = DeadLetterLog(topic="plant", samples=True, clock=lambda: 0.0)
    many = [letter(b"x", i, detail=f"field {'x' * (i % 97)!r} is text") for i in range(970)]
    often = [letter(b"often", i, detail="no field 'rpm'") for i in range(300)]
    with log_lines() as lines:
        for begin in range(0, 970, 97):
            log.observe(many[begin : begin + 97] + often[:30], num_events=0)
        log.turned(ending=True)
    assert len(named(lines, "dead_letter")) == MAX_TOLD
    (summed,) = named(lines, "dead_letters")
    assert summed["sample"] == "often"


def test_a_sample_is_short_and_printable() -> None:
    """Two hundred bytes, escaped: no message can break the line or the terminal."""
    log = DeadLetterLog(topic="plant", samples=True, clock=lambda: 0.0)
    with log_lines() as lines:
        log.observe([letter(b"\x00\x1b[31m\xff\n" + b"x" * 5_000)], num_events=0)
    sample = lines[0]["sample"]
    assert sample.startswith(r"\x00\x1b[31m\xff\n")
    assert sample.isprintable()
    assert sample.count("x") <= SAMPLE_BYTES


def test_samples_can_be_switched_off() -> None:
    """`telemetry.log_samples: false`: no payload is ever logged."""
    log = DeadLetterLog(topic="plant", samples=False, clock=lambda: 0.0)
    with log_lines() as lines:
        log.observe([letter(b"secret")] * 30, num_events=0)
        log.turned(ending=True)
    assert [line["sample"] for line in lines] == [None, None]
    assert "secret" not in str(lines) + str(log.problem)


def test_input_that_mostly_cannot_be_read_is_degraded(tmp_path: Path) -> None:
    """The state says so at once, by name, until most of a minute's input can be read."""
    world, health = World(tmp_path), Health()
    world.produce([b"{"] * 60)
    states: list[dict[str, str]] = []

    def told(_: object) -> None:
        states.append(dict(health.status()["reasons"]))
        world.now_s += 5.0

    def late() -> None:
        world.transport.idle = lambda: None
        world.produce([1.0] * 400)
        world.transport.ended = False

    engine = world.engine(health=health, on_progress=told)
    world.transport.idle = late
    engine.run()
    assert "inputs could not be read (bad_json)" in states[1]["unreadable"]
    assert "unreadable" not in states[-1]
    with log_lines() as lines:
        world.produce([b"{"] * 5 + [1.0] * 300)
        world.engine(health=health).run()
    assert "unreadable" not in health.status()["reasons"]
    assert not [line for line in named(lines, "degraded") if line["problem"] == "unreadable"]
