"""The loop: every event once, whatever dies whenever."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.world import World


def expected_ids(world: World) -> list[str]:
    """One id per message of the input, in order within each partition."""
    return [f"events/{m.partition}/{m.offset}/0" for m in world.broker.records("events")]


def test_everything_is_published_once_and_epochs_are_filled_exactly(tmp_path: Path) -> None:
    """A run publishes one result per event; every closed epoch ends by count, none overfull."""
    world = World(tmp_path, num_partitions=3)
    world.produce_noise(300)
    summary = world.engine().run()
    assert world.ids() == expected_ids(world)
    assert summary.events == 300
    assert summary.epochs == world.learners[0].epoch - 1
    sizes: dict[int, int] = {}
    for record in world.journal():
        taken = sum(num for _, _, num, _ in record.ranges.values())
        sizes[record.epoch] = sizes.get(record.epoch, 0) + taken
    targets, seen = [], 0
    for _ in sizes:
        targets.append(min(max(seen // 16, 4), 16))
        seen += targets[-1]
    assert list(sizes.values())[:-1] == targets[:-1]


def test_replay_of_the_journal_gives_the_same_bytes_and_state(tmp_path: Path) -> None:
    """A separate process that reads journal and input publishes the same bytes."""
    world = World(tmp_path, num_partitions=3)
    world.produce_noise(300)
    world.engine(cuts=random.Random(1)).run()
    learner, published, differing = world.replay()
    assert published == world.scores()
    assert learner.state_crc32c() == world.learners[0].state_crc32c()
    assert sorted(learner.rows) == sorted(world.learners[0].rows)
    assert not differing


@settings(max_examples=15, deadline=None)
@given(
    moments=st.lists(st.integers(1, 60), max_size=6),
    cuts=st.integers(0, 2**32),
    num_partitions=st.integers(1, 3),
)
def test_kills_at_any_moment_lose_and_double_nothing(
    moments: list[int], cuts: int, num_partitions: int
) -> None:
    """However polls cut the stream and whenever processes die: each event once, replay equal."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), num_partitions=num_partitions)
        world.produce_noise(150, seed=cuts)
        world.run_until_drained(moments, random.Random(cuts))
        assert world.ids() == expected_ids(world)
        learner, published, differing = world.replay()
        assert published == world.scores()
        assert learner.state_crc32c() == world.learners[0].state_crc32c()
        assert not differing


@settings(max_examples=12, deadline=None)
@given(moments=st.lists(st.integers(1, 60), max_size=5), cuts=st.integers(0, 2**32))
def test_one_partition_gives_the_bits_of_the_uninterrupted_run(
    moments: list[int], cuts: int
) -> None:
    """With one partition and epochs by count, cuts and kills leave no trace at all."""
    with tempfile.TemporaryDirectory() as folder:
        calm, rough = World(Path(folder, "calm")), World(Path(folder, "rough"))
        for world in (calm, rough):
            world.produce_noise(150)
        calm.engine().run()
        rough.run_until_drained(moments, random.Random(cuts))
        assert rough.scores() == calm.scores()
        assert rough.learners[0].state_crc32c() == calm.learners[0].state_crc32c()
        assert rough.learners[0].rows == calm.learners[0].rows
