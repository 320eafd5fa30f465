"""Input that expired, and state that was rebuilt: told by whoever lands what follows, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamssl.data.events import Slice
from streamssl.telemetry import Health, Metrics
from tests.engine.test_loop import expected_ids
from tests.engine.test_partitions import move
from tests.engine.test_recovery import changes, told
from tests.engine.world import World


def test_input_that_expired_before_it_was_read_is_declared_missed(tmp_path: Path) -> None:
    """Expired above the committed position: start at the oldest, journal, count, degraded."""
    world, health = World(tmp_path), Health()
    world.produce_noise(40)

    def hook(moment: str) -> None:
        if moment == "committed" and len(world.ids()) == 20:
            world.broker.expire("events", 0, 30)

    reasons: list[str] = []
    summary = world.engine(
        hook=hook, health=health, on_progress=lambda _: reasons.extend(told(health))
    ).run()
    assert summary.missed == 10
    assert changes(world) == ["missed: 0 [20, 30)"]
    assert world.ids() == [f"events/0/{i}/0" for i in [*range(20), *range(30, 40)]]
    assert "missed" in reasons
    assert told(health) == []  # the next checkpoint stands on it


def test_two_losses_without_a_message_between_are_declared_whole(tmp_path: Path) -> None:
    """A transport that tells only the second of them does not make the first one vanish."""
    world = World(tmp_path)
    world.produce_noise(40)

    def hook(moment: str) -> None:
        if moment == "committed" and len(world.ids()) == 20:
            world.broker.expire("events", 0, 25)
            member = world.transport
            incarnation, _ = member._positions[0]
            member._positions[0] = (incarnation, 25)  # noticed once, nothing taken
            world.broker.expire("events", 0, 30)

    assert world.engine(hook=hook).run().missed == 10
    assert changes(world) == ["missed: 0 [20, 30)"]


@pytest.mark.parametrize("alone", [True, False])
def test_a_loss_that_did_not_land_is_told_by_who_lands_it(tmp_path: Path, alone: bool) -> None:
    """The partition leaves before the commit: the loss is declared and counted once, later."""
    world, metrics = World(tmp_path, num_partitions=2), Metrics()
    world.produce([1.0] * 4)
    world.engine().run()
    world.produce([1.0] * 6)
    world.produce([1.0] * (0 if alone else 6), partition=1)
    world.broker.expire("events", 0, 6)
    landed = len(world.journal())
    commits = [0]

    def hook(moment: str) -> None:
        commits[0] += moment == "commit"
        if moment == "commit" and commits[0] == 1:
            move(world.broker, 0, 0)

    summary = world.engine(hook=hook, metrics=metrics).run()
    assert set(expected_ids(world)) < set(world.ids())
    assert len(set(world.ids())) == len(world.ids())
    tellers = [record for record in world.journal()[landed:] if record.changes]
    assert [record.changes for record in tellers] == [["missed: 0 [4, 6)"]]
    assert 0 in tellers[0].ranges
    assert summary.missed == 2
    counted = metrics.registry.get_sample_value(
        "streamssl_input_missed_records_total", {"topic": "events"}
    )
    assert counted == 2


def test_a_tail_is_journalled_with_the_first_messages_after_it(tmp_path: Path) -> None:
    """A partition that comes with messages of old and then pauses: nothing is rebuilt unsaid."""
    world = World(tmp_path, modality={"tail_events": 5})
    for instance in (0, 1):
        world.produce_noise(20, seed=instance)
        world.engine(instance).run()
    world.produce_noise(20, seed=2)
    engine = world.engine(0)
    poll, turns = world.transport.poll, iter(range(99))

    def late(most: int, timeout_s: float) -> list[Slice]:
        turn = next(turns)
        if turn > 1:
            return poll(most, timeout_s)
        old = world.transport.reread(0, 30, 35)
        incarnation = world.transport.assignment()[0]
        return [] if turn else [Slice(0, incarnation, 30, 35, old.payload)]

    world.transport.poll = late  # type: ignore[method-assign,assignment]
    engine.run()
    assert next(turns) > 2
    assert world.ids() == expected_ids(world)
    assert [r.tails for r in world.journal(0) if r.tails] == [{0: (35, 40)}]
    learner, _, differing = world.replay(0)
    assert learner.context == world.learners[0].context
    assert not differing
