"""Partitions come and go: state that is still true is kept, other state is rebuilt."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.data.events import Slice
from tests.engine.real_world import SMALL, RealWorld
from tests.engine.test_loop import expected_ids
from tests.engine.world import World
from tests.transport.faulty_broker import FaultyBroker


def move(broker: FaultyBroker, partition: int, instance: int) -> None:
    """Reassign a partition now."""
    broker.move("streamssl", "events", partition, instance)


def test_the_first_assignment_of_an_uncommitted_partition_has_no_tail(tmp_path: Path) -> None:
    """Nothing was ever committed: there is nothing to rebuild from."""
    world = World(tmp_path)
    world.produce([1.0] * 3)
    world.engine().run()
    assert [record.tails for record in world.journal()] == [{}]


def test_a_partition_that_comes_back_untouched_keeps_its_state(tmp_path: Path) -> None:
    """The committed position is our own last one: no tail, the same bits as without the move."""
    calm, moved = World(tmp_path / "calm"), World(tmp_path / "moved")
    for world in (calm, moved):
        world.produce_noise(40)
    calm.engine().run()

    def hook(moment: str) -> None:
        if moment == "committed":
            move(moved.broker, 0, 0)

    moved.engine(hook=hook).run()
    assert moved.scores() == calm.scores()
    assert not any(record.tails or record.dropped for record in moved.journal())


def test_a_restart_keeps_the_state_of_its_partitions(tmp_path: Path) -> None:
    """A new process of the same instance goes on as if it had never ended."""
    calm, ended = World(tmp_path / "calm"), World(tmp_path / "ended")
    calm.produce_noise(60)
    calm.engine().run()
    ended.produce_noise(60)
    while len(ended.ids()) < 60:
        stopping = threading.Event()
        ended.engine(stopping=stopping, on_progress=lambda _, s=stopping: s.set()).run()
    assert ended.scores() == calm.scores()
    assert not any(record.tails for record in ended.journal())


def test_where_another_worker_went_further_the_tail_is_rebuilt(tmp_path: Path) -> None:
    """The windows come from the last `tail_events` messages before the committed position."""
    world = World(tmp_path, modality={"tail_events": 5})
    world.produce_noise(20)
    world.engine(0).run()
    world.produce_noise(20)
    world.engine(1).run()
    world.produce_noise(20)
    world.engine(0).run()
    assert world.ids() == expected_ids(world)
    assert world.journal(1)[0].tails == {0: (15, 20)}
    assert [r.tails for r in world.journal(0) if r.tails] == [{0: (35, 40)}]
    learner, published, differing = world.replay(0)
    assert not differing
    assert set(published) < set(world.scores())
    assert learner.context == world.learners[0].context


def test_a_tail_decides_no_automatic_fields(tmp_path: Path) -> None:
    """What came before the first scored event may look otherwise, as with `input.start: latest`."""
    world = RealWorld(tmp_path, **SMALL)
    for instance, field in enumerate(("old", "new")):
        for number in range(20):
            world.broker.produce("events", 0, json.dumps({field: number % 7}).encode(), key=b"k")
        world.engine(instance).run()
    assert world.journal(1)[0].tails == {0: (0, 20)}
    assert world.journal(1)[0].fields == ["new"]
    assert len(world.ids()) == 40
    assert not world.dead_letters()


def test_a_tail_is_read_by_the_fields_that_another_partition_decides(tmp_path: Path) -> None:
    """One partition arrives with nothing readable, another decides the fields: replayed alike."""
    world = RealWorld(tmp_path, num_partitions=2, **SMALL)

    def produce(partition: int, values: list[float]) -> None:
        for value in values:
            data = json.dumps({"x": value}).encode()
            world.broker.produce("events", partition, data, key=b"k%d" % partition)

    for partition in (0, 1):
        produce(partition, [i % 7 for i in range(20)])
    world.engine(0).run()
    world.broker.produce("events", 0, b"{", key=b"k0")
    produce(1, [1.0, 2.0])
    world.engine(1).run()
    produce(0, [i % 5 for i in range(70)])
    world.engine(1).run()
    tails = world.journal(1)[0].tails
    assert tails == {0: (0, 20), 1: (0, 20)}
    learner, published, differing = world.replay(1)
    assert not differing
    assert set(published) < set(world.scores())
    assert learner.state_crc32c() == world.learners[1].state_crc32c()


def test_a_range_that_was_lost_is_not_learnt_and_the_loss_is_replayed(tmp_path: Path) -> None:
    """A partition leaves before the commit: its rows and its state go, in the replay too."""
    world = World(tmp_path, num_partitions=2)
    world.produce_noise(100)
    moves = iter([7, 11, 23])
    commits = [0]
    at = list(moves)

    def hook(moment: str) -> None:
        commits[0] += moment == "commit"
        if moment == "commit" and commits[0] in at:
            move(world.broker, 1, 0)

    world.engine(hook=hook).run()
    assert world.ids() == expected_ids(world)
    assert any(record.dropped for record in world.journal())
    learner, published, differing = world.replay()
    assert published == world.scores()
    assert not differing
    assert learner.state_crc32c() == world.learners[0].state_crc32c()


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    stretch=st.sampled_from([1, 8]),
    moments=st.lists(st.tuples(st.integers(1, 80), st.integers(0, 2)), min_size=1, max_size=8),
)
def test_rebalances_at_any_moment_lose_and_double_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    stretch: int,
    moments: list[tuple[int, int]],
) -> None:
    """Partitions leave and come back at any moment: each event once, and the replay is equal."""
    folder = tmp_path_factory.mktemp("world")
    world = World(folder, num_partitions=3, learn={"max_stretch": stretch})
    world.produce_noise(120, seed)
    count = [0]

    def hook(_: str) -> None:
        count[0] += 1
        for at, partition in moments:
            if count[0] == at:
                move(world.broker, partition, 0)

    world.engine(hook=hook, cuts=random.Random(seed)).run()
    assert world.ids() == expected_ids(world)
    learner, published, differing = world.replay()
    assert published == world.scores()
    assert not differing
    assert learner.state_crc32c() == world.learners[0].state_crc32c()


@pytest.mark.parametrize("seed", range(12))
def test_what_was_taken_in_before_a_loss_was_known_is_not_learnt(tmp_path: Path, seed: int) -> None:
    """Input that pauses: half a transaction waits while a partition turns out to be lost."""
    world, rng = World(tmp_path, num_partitions=3, delivery={"max_events": 4}), random.Random(seed)
    world.produce_noise(400, seed)
    commits = [0]

    def hook(moment: str) -> None:
        commits[0] += moment == "commit"
        if moment == "commit" and commits[0] > 20 and commits[0] % 5 == 0:
            move(world.broker, rng.randrange(3), 0)

    engine = world.engine(hook=hook, cuts=random.Random(seed))
    poll = world.transport.poll

    def pausing(most: int, timeout_s: float) -> list[Slice]:
        return [] if rng.random() < 0.4 else poll(most, timeout_s)

    world.transport.poll = pausing  # type: ignore[method-assign,assignment]
    world.transport.exhausted = lambda: len(world.ids()) >= 400  # type: ignore[method-assign]
    engine.run()
    assert world.ids() == expected_ids(world)
    assert any(record.dropped for record in world.journal())
    learner, published, differing = world.replay()
    assert published == world.scores()
    assert not differing
    assert learner.state_crc32c() == world.learners[0].state_crc32c()


def test_two_engines_in_one_group_share_the_work(tmp_path: Path) -> None:
    """A second worker joins in the middle of the stream: each event is published once."""
    world = World(tmp_path, num_partitions=4)
    world.produce_noise(400)
    second = world.engine(1, cuts=random.Random(1))
    others = world.transport
    thread = threading.Thread(target=second.run)
    started = threading.Event()

    def hook(moment: str) -> None:
        if moment == "committed" and not started.is_set():
            started.set()
            thread.start()

    first = world.engine(0, hook=hook, cuts=random.Random(2))
    others.exhausted = lambda: len(world.ids()) == 400  # type: ignore[method-assign]
    world.transport.exhausted = others.exhausted  # type: ignore[method-assign]
    first.run()
    thread.join(30)
    assert world.ids() == expected_ids(world)
    for instance in (0, 1):
        _, published, differing = world.replay(instance)
        assert set(published) <= set(world.scores())
        assert not differing


def test_messages_that_were_taken_are_not_taken_again(tmp_path: Path) -> None:
    """A transport that gives a message twice: the second is cut off."""
    world = World(tmp_path)
    world.produce_noise(20)
    engine = world.engine()
    poll = world.transport.poll

    def again(most: int, timeout_s: float) -> list[object]:
        pieces = poll(most, timeout_s)
        for piece in pieces:
            if piece.start > 0:
                older = world.transport.reread(0, piece.start - 1, piece.stop)
                object.__setattr__(piece, "payload", older.payload)
                object.__setattr__(piece, "start", older.start)
        return list(pieces)

    world.transport.poll = again  # type: ignore[method-assign,assignment]
    engine.run()
    assert world.ids() == expected_ids(world)


@pytest.mark.parametrize("moment", ["poll", "commit"])
def test_a_lost_session_drops_no_state(tmp_path: Path, moment: str) -> None:
    """An outage longer than the session: the transaction in hand lands, no key starts anew."""
    calm, cut = (World(tmp_path / name, num_partitions=2) for name in ("calm", "cut"))
    for world in (calm, cut):
        world.produce_noise(100)
    calm.engine().run()
    moments = [0]

    def hook(at: str) -> None:
        moments[0] += at == moment
        if at == moment and moments[0] in (2, 3, 7):
            cut.broker.expel("streamssl", "events", 0)

    cut.engine(hook=hook).run()
    assert moments[0] > 7
    assert cut.scores() == calm.scores()
    assert not any(record.tails or record.dropped for record in cut.journal())


def test_a_lost_session_after_which_another_went_further_gives_up(tmp_path: Path) -> None:
    """What another worker published while the session was lost is not published again."""
    world = World(tmp_path)
    world.produce_noise(100)
    commits = [0]

    def hook(moment: str) -> None:
        commits[0] += moment == "commit"
        if moment == "commit" and commits[0] == 2:
            world.broker.expel("streamssl", "events", 0)
            world.engine(1, cuts=random.Random(0)).run()

    world.engine(0, hook=hook).run()
    assert world.ids() == expected_ids(world)
    assert world.journal(1)
