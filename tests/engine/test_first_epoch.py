"""The first epoch decides the columns: nothing is scored before, and the journal says what was."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from streamssl.codecs.json import JsonDecoder
from streamssl.config.sections import InputConfig
from streamssl.data.events import Schema, Slice
from tests.engine.test_loop import expected_ids
from tests.engine.world import Bomb, FakeCodec, World
from tests.transport.faulty_broker import SimulatedCrashError


class AutoWorld(World):
    """JSON events whose fields decide the columns; the learner looks at the first."""

    def new_codec(self) -> Any:
        codec: Any = FakeCodec()
        codec.decoder = JsonDecoder(topic="events", input=InputConfig())
        return codec

    def send(self, events: Sequence[dict[str, Any] | bytes], partition: int = 0) -> None:
        """Append messages to a partition."""
        for event in events:
            value = event if isinstance(event, bytes) else json.dumps(event).encode()
            self.broker.produce("events", partition, value, key=b"k%d" % partition)


def measured(num_events: int, seed: int, *names: str) -> list[dict[str, float]]:
    """Events of noise."""
    rng = random.Random(seed)
    return [{name: round(rng.gauss(0, 1), 3) for name in names} for _ in range(num_events)]


def named(world: World) -> list[Schema]:
    """The columns that the journal decides."""
    return [record.schema for record in world.journal() if record.schema]


def test_the_first_events_of_all_partitions_decide(tmp_path: Path) -> None:
    """Neither the incomplete first event, nor a heartbeat, nor which partition is first does."""
    world = AutoWorld(tmp_path, num_partitions=2)
    world.send([{"a": 1.5}, {"beat": 1, "kind": "heartbeat"}, *measured(40, 1, "a", "b")], 0)
    world.send([{"c": None}, *measured(40, 2, "c", "a")], 1)
    world.engine(cuts=random.Random(0)).run()
    assert [set(schema.fields) for schema in named(world)] == [{"a", "b", "c"}]
    assert world.dead_letters() == [(b"missing_field", b"0/1")]
    assert len(world.ids()) == 82
    learner, published, differing = world.replay()
    assert (published, differing) == (world.scores(), {})
    assert learner.schema == named(world)[0]


@pytest.mark.parametrize("seed", range(6))
def test_kills_before_the_decision_leave_no_trace(tmp_path: Path, seed: int) -> None:
    """Whenever processes die, one decision is journalled, and a replay of it gives the same."""
    world, rng = AutoWorld(tmp_path, num_partitions=3), random.Random(seed)
    for partition in range(3):
        world.send(measured(25, partition, "a", f"own{partition}"), partition)
    moments = [rng.randrange(1, 12) for _ in range(4)]
    world.run_until_drained(moments, cuts=rng)
    assert len(named(world)) == 1
    assert sorted(world.ids()) == sorted(expected_ids(world))
    _, published, differing = world.replay()
    assert (published, differing) == (world.scores(), {})


def test_a_quiet_stream_is_scored_after_a_bounded_wait(tmp_path: Path) -> None:
    """Two events, then silence: they wait as long as an epoch would, and are scored then."""
    world = AutoWorld(tmp_path, learn={"max_wait_s": 5.0})
    world.send(measured(2, 0, "a", "b"))
    engine = world.engine()
    told: list[tuple[float, int]] = []
    poll = world.transport.poll

    def quiet(most: int, timeout_s: float) -> list[Slice]:
        world.now_s += 0.5
        told.append((world.now_s, len(world.ids())))
        return poll(most, timeout_s)

    world.transport.poll = quiet  # type: ignore[method-assign,assignment]
    world.transport.exhausted = lambda: len(world.ids()) == 2  # type: ignore[method-assign]
    engine.run()
    assert all(count == 0 for now_s, count in told if now_s < 5.0)
    assert told[-1][0] < 7.0
    assert named(world) == [Schema(("a", "b"))]


def test_only_dead_letters_are_committed_too(tmp_path: Path) -> None:
    """Unreadable input moves the position and is journalled, without any column known."""
    world = AutoWorld(tmp_path)
    world.send([b"x", {"kind": "heartbeat"}])
    summary = world.engine().run()
    (record,) = world.journal()
    assert record.dead_letters == [(0, 0, -1), (0, 1, -1)]
    assert record.fields is None
    assert summary.dead_letters == 2
    world.send(measured(3, 0, "x"))
    world.engine().run()
    assert world.journal()[1].fields == ["x"]
    assert world.ids() == [f"events/0/{offset}/0" for offset in (2, 3, 4)]
    _, published, differing = world.replay()
    assert (published, differing) == (world.scores(), {})


def test_much_that_says_nothing_is_not_held_for_ever(tmp_path: Path) -> None:
    """More unreadable messages than are held: they land, and the rest decides."""
    world = AutoWorld(tmp_path)
    world.send([b"x"] * 3_000)
    world.send(measured(40, 0, "x"))
    world.engine().run()
    assert (len(world.dead_letters()), len(world.ids())) == (3_000, 40)
    assert named(world) == [Schema(("x",))]
    _, published, differing = world.replay()
    assert (published, differing) == (world.scores(), {})


def test_a_partition_that_leaves_decides_nothing(tmp_path: Path) -> None:
    """What is held of it goes with it: whoever holds it now decides for itself."""
    world = AutoWorld(tmp_path, num_partitions=2)
    world.send(measured(5, 0, "a"), 0)
    world.send(measured(5, 1, "b"), 1)
    engine = world.engine()
    poll, polls = world.transport.poll, [0]

    def losing(most: int, timeout_s: float) -> list[Slice]:
        polls[0] += 1
        pieces = poll(most, timeout_s)
        if polls[0] == 2:
            world.broker.expel("streamssl", "events", 1)
        return pieces

    world.transport.poll = losing  # type: ignore[method-assign,assignment]
    world.transport.exhausted = lambda: polls[0] > 4  # type: ignore[method-assign]
    engine.run()
    assert sorted(world.ids()) == sorted(expected_ids(world))
    assert len(named(world)) == 1


def test_a_message_that_kills_while_it_is_looked_at_is_set_aside(tmp_path: Path) -> None:
    """Its death is counted before the columns are known, too."""
    world = AutoWorld(tmp_path)
    world.send([*measured(3, 0, "x"), b"poison", *measured(40, 1, "x")])
    plain = world.new_codec

    def deadly() -> Any:
        codec = plain()
        sample = codec.decoder.sample

        def looked(piece: Slice) -> Any:
            if any(message.value == b"poison" for message in piece.payload):
                raise SimulatedCrashError("poison")
            return sample(piece)

        codec.decoder.sample = looked
        return codec

    world.new_codec = deadly  # type: ignore[method-assign]
    deaths = 0
    for _ in range(8):
        try:
            world.engine(hook=Bomb(0)).run()
            break
        except SimulatedCrashError:
            deaths += 1
    assert deaths <= 6
    assert world.dead_letters() == [(b"poison", b"0/3")]
    assert len(world.ids()) == 43
