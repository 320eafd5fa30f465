"""Messages that kill, and messages that only seem to."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from streamssl.data.events import Decoded, Slice
from streamssl.engine.crash_log import CrashLog
from tests.engine.fake_learner import FakeLearner
from tests.engine.test_loop import expected_ids
from tests.engine.test_recovery import state_dir
from tests.engine.world import Bomb, FakeDecoder, World
from tests.transport.faulty_broker import SimulatedCrashError


def deaths_until_drained(world: World, instance: int = 0, most: int = 10) -> int:
    """Start processes until one ends by itself."""
    for deaths in range(most):
        try:
            world.engine(instance).run()
        except SimulatedCrashError:
            continue
        return deaths
    raise AssertionError(f"{most} processes died")


def test_poison_becomes_a_dead_letter_after_three_deaths(tmp_path: Path) -> None:
    """A message that kills whoever reads it: its neighbours are published, it is set aside."""
    world = World(tmp_path, num_partitions=2)
    world.produce([0.1, 0.2, 0.3, b"poison", 0.4])
    world.produce([1.0, 2.0], partition=1)
    deaths = 0
    while True:
        try:
            world.engine().run()
            break
        except SimulatedCrashError:
            deaths += 1
            assert deaths < 8
    assert world.dead_letters() == [(b"poison", b"0/3")]
    assert sorted(world.ids()) == sorted(i for i in expected_ids(world) if i != "events/0/3/0")
    assert deaths == 5  # two in the region, three at the message
    assert [d for r in world.journal() for d in r.dead_letters] == [(0, 3, -2)]
    # Nobody reads it again: neither a replay, nor the next start, nor a rebuilt tail.
    _, published, differing = world.replay()
    assert published == world.scores()
    assert not differing
    world.lose_state()
    world.engine().run()


def test_poison_in_a_tail_does_not_kill_for_ever(tmp_path: Path) -> None:
    """Another worker's poison lies in the tail: after two deaths the tail is given up."""
    world = World(tmp_path)
    world.produce([0.1, b"poison", 0.4])
    deaths = {0: 0, 1: 0}
    for instance in deaths:
        while True:
            try:
                world.engine(instance).run()
                break
            except SimulatedCrashError:
                deaths[instance] += 1
        world.produce([0.5])
    assert deaths == {0: 5, 1: 2}
    assert world.ids() == ["events/0/0/0", "events/0/2/0", "events/0/3/0"]
    assert world.journal(1)[0].tails == {0: (3, 3)}


def test_kills_elsewhere_make_no_message_poison(tmp_path: Path) -> None:
    """A process that dies at other moments, however often, sets no message aside."""
    world = World(tmp_path)
    world.produce_noise(20)
    for moment in [1, 2, 3, 4, 5, 1, 4, 4]:
        with pytest.raises(SimulatedCrashError):
            world.engine(hook=Bomb(moment)).run()
    for _ in range(8):  # where the broker is away for long, processes are killed while they wait
        world.broker.fail_commits("crash_before")
        with pytest.raises(SimulatedCrashError):
            world.engine().run()
    summary = world.engine().run()
    assert summary.transactions < 10  # no care is taken
    assert world.ids() == expected_ids(world)
    assert world.dead_letters() == []
    assert not (state_dir(world) / "attempts.json").exists()


@pytest.mark.parametrize("hole", [0, 1])
def test_three_deaths_are_enough_where_the_poison_is_alone(tmp_path: Path, hole: int) -> None:
    """Alone in its transaction from the first death on: the third start dies, no fourth."""
    world = World(tmp_path)
    world.broker.leave_hole("events", 0, hole)
    world.produce([b"poison"])
    assert deaths_until_drained(world) == 3
    assert world.dead_letters() == [(b"poison", b"0/%d" % hole)]


@pytest.mark.parametrize("seed", range(6))
def test_poison_is_found_however_the_next_process_polls(tmp_path: Path, seed: int) -> None:
    """Each process cuts the stream anew: the region is known by offsets, not by its size."""
    world = World(tmp_path, num_partitions=3)
    world.produce([0.1 * n for n in range(30)])
    world.produce([0.1, 0.2, b"poison", 0.3], partition=1)
    world.produce([0.1 * n for n in range(30)], partition=2)
    cuts, deaths = random.Random(seed), 0
    while deaths < 10:
        try:
            world.engine(cuts=cuts).run()
            break
        except SimulatedCrashError:
            deaths += 1
    assert world.dead_letters() == [(b"poison", b"1/2")]
    assert sorted(world.ids()) == sorted(i for i in expected_ids(world) if i != "events/1/2/0")
    assert deaths <= 6  # one on the way, two in the region, three at the message


def test_poison_behind_a_hole_is_found(tmp_path: Path) -> None:
    """Markers and compaction use up offsets: the message is known by its own, not the slice's."""
    world = World(tmp_path)
    world.produce([0.1, 0.2])
    world.broker.leave_hole("events", 0)
    world.produce([b"poison", 0.3])
    assert deaths_until_drained(world) == 5  # two at the start, three at the message
    assert world.dead_letters() == [(b"poison", b"0/3")]
    assert world.ids() == ["events/0/0/0", "events/0/1/0", "events/0/4/0"]
    _, published, differing = world.replay()
    assert published == world.scores()
    assert not differing


@pytest.mark.parametrize("num_messages", [1, 5])
@pytest.mark.parametrize(("target", "place"), [(FakeLearner, "advance"), (FakeDecoder, "decode")])
def test_a_fault_that_is_raised_makes_no_message_poison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_messages: int, target: type, place: str
) -> None:
    """A device or a codec that fails ends the process, however often; mended, all is scored."""
    world = World(tmp_path)
    world.produce_noise(num_messages)

    def fails(*_: object) -> Decoded:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with monkeypatch.context() as patched:
        patched.setattr(target, place, fails)
        for _ in range(20):
            with pytest.raises(RuntimeError, match="CUDA"):
                world.engine().run()
    assert not (state_dir(world) / "attempts.json").exists()
    world.engine().run()
    assert world.dead_letters() == []
    assert world.ids() == expected_ids(world)


def test_faults_between_deaths_hide_no_poison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception neither counts as a death nor undoes those that were counted."""
    world = World(tmp_path)
    world.produce([0.1, b"poison"])

    def fails(*_: object) -> Decoded:
        raise RuntimeError("out of memory")

    deaths = 0
    for _ in range(20):
        with monkeypatch.context() as patched:
            patched.setattr(FakeDecoder, "decode", fails)
            with pytest.raises(RuntimeError):
                world.engine().run()
        try:
            world.engine().run()
        except SimulatedCrashError:
            deaths += 1
        else:
            break
    assert deaths == 5
    assert world.dead_letters() == [(b"poison", b"0/1")]


def test_a_full_disk_stops_no_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be noted is not noted: the log says so and the messages are processed."""
    world = World(tmp_path)
    world.produce_noise(5)

    def full(*_: object, **__: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("streamssl.engine.crash_log.os.fsync", full)
    world.engine().run()
    assert world.ids() == expected_ids(world)
    assert "No space left on device" in caplog.text


def test_an_unreadable_file_is_no_mark(tmp_path: Path) -> None:
    """Whatever lies where the file should be: the start goes on without care."""
    path = tmp_path / "attempts.json"
    path.mkdir()
    crash_log, piece = CrashLog(path), Slice(0, 1, 0, 2, [])
    assert not crash_log.suspects(piece)
    crash_log.begin(piece)
    assert crash_log.poison_in(piece) == frozenset()
    crash_log.clear()
