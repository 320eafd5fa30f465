"""The engine with the real learner and codec: what the daemon publishes, bit for bit."""

from __future__ import annotations

import random
import tempfile
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.real_world import SMALL, CutWorld, RealWorld
from tests.engine.world import stop_after
from tests.strategies import polls


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_kills_and_cuts_leave_no_trace(tmp_path: Path) -> None:
    """One partition: however it is cut and killed, the same bytes and the same weights."""
    calm, rough = RealWorld(tmp_path / "calm", **SMALL), RealWorld(tmp_path / "rough", **SMALL)
    for world in (calm, rough):
        world.produce_noise(420)
    calm.engine().run()
    killed = rough.run_until_drained([9, 31, 47, 40, 38, 77], random.Random(5))
    assert killed >= 5
    assert rough.scores() == calm.scores()
    a, b = calm.learners[0], rough.learners[0]
    assert (a.epoch, a.state_crc32c(), a.weights_digest()) == (
        b.epoch,
        b.state_crc32c(),
        b.weights_digest(),
    )
    assert a.epoch > 6


@pytest.mark.parametrize("stretch", [1, 8])
def test_a_journal_replay_gives_every_byte_of_four_partitions(tmp_path: Path, stretch: int) -> None:
    """Kills and moves over four partitions: journal and input give the same bytes again."""
    learn = {**SMALL["learn"], "max_stretch": stretch}
    world = RealWorld(tmp_path, num_partitions=4, **{**SMALL, "learn": learn})
    world.produce_noise(420)
    count = [0]

    def moves(_: str) -> None:
        count[0] += 1
        if count[0] % 23 == 0:
            world.broker.move("streamssl", "events", count[0] % 4, 0)

    world.run_until_drained([40, 90], random.Random(1))
    world.produce_noise(300, seed=1)
    world.engine(hook=moves, cuts=random.Random(2)).run()
    num_letters = len(world.broker.records("streamssl.dlq"))
    assert len(set(world.ids())) == len(world.ids()) == 720 - num_letters
    assert any(record.dropped for record in world.journal())
    learner, published, differing = world.replay()
    assert published == world.scores()
    assert not differing
    assert learner.state_crc32c() == world.learners[0].state_crc32c()
    assert learner.weights_digest() == world.learners[0].weights_digest()


def test_a_future_event_changes_no_past_score(tmp_path: Path) -> None:
    """Prequential: what is published of an event does not depend on anything after it."""
    worlds = [RealWorld(tmp_path / str(seed), **SMALL) for seed in (1, 2)]
    for seed, world in enumerate(worlds):
        world.produce_noise(200)
        world.produce_noise(200, seed=10 + seed)
        world.engine().run()
    first, second = (world.scores() for world in worlds)
    num_same = 200 - 4  # dead letters have no score
    assert first[:num_same] == second[:num_same]
    assert first != second


def test_every_checkpoint_resumes_to_the_same_bits(tmp_path: Path) -> None:
    """From whichever epoch a process goes on: same scores, same weights."""
    calm = RealWorld(tmp_path / "calm", **SMALL)
    calm.produce_noise(300)
    calm.engine().run()
    resumed = RealWorld(tmp_path / "resumed", **{**SMALL, "checkpoint": {"every_events": 1}})
    resumed.produce_noise(300)
    starts = 0
    while len(resumed.scores()) < len(calm.scores()):
        stopping = threading.Event()
        resumed.engine(stopping=stopping, on_progress=stop_after(1, stopping)).run()
        starts += 1
    assert starts > 4
    assert resumed.scores() == calm.scores()
    assert resumed.learners[0].state_crc32c() == calm.learners[0].state_crc32c()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> CutWorld:
    """A stream of three partitions as the broker cuts it."""
    world = CutWorld(tmp_path_factory.mktemp("calm"))
    world.engine().run()
    return world


@settings(max_examples=15, deadline=None)
@given(data=st.data(), max_events=st.integers(5, 80))
def test_any_cut_of_the_same_ranges_publishes_and_learns_the_same(
    calm: CutWorld, data: st.DataObject, max_events: int
) -> None:
    """However the ranges of the epochs are polled and committed: same bytes, same digest."""
    cuts = data.draw(polls(calm.epochs()))
    with tempfile.TemporaryDirectory() as folder:
        world = CutWorld(Path(folder), cuts, delivery={"max_events": max_events})
        world.engine().run()
        published, found, replayed = world.reproduced()
    learner, reference = world.learners[0], calm.learners[0]
    assert world.every_byte() == calm.every_byte() == published
    assert learner.state_crc32c() == reference.state_crc32c() == found.state_crc32c
    assert learner.weights_digest() == reference.weights_digest() == replayed.weights_digest()
    assert learner.epoch == reference.epoch == found.epoch > 7
    assert found.differing_epochs == []
    assert len(published["spaces", 0]) == 2  # The first burst is over.
