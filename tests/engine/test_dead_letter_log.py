"""Dead letters in the log: an example and a remedy for each reason, then a sum a minute."""

from __future__ import annotations

from pathlib import Path

from streamssl.data.events import DeadLetter, Message
from streamssl.engine.dead_letter_log import SAMPLE_BYTES, DeadLetterLog
from streamssl.telemetry import Health
from tests.engine.world import World
from tests.log_lines import log_lines, named


def letter(value: bytes, offset: int = 0, reason: str = "wrong_type") -> DeadLetter:
    return DeadLetter(Message(2, offset, b"k", value), None, reason, "rpm is a text")


def test_the_first_of_a_reason_has_a_sample_and_a_remedy() -> None:
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
        log.observe([letter(b"secret")], num_events=0)
    assert lines[0]["sample"] is None
    assert "secret" not in str(lines)


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
