"""Every change of the embedding space is announced, once."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.engine.positions import Positions
from streamssl.engine.recovery import Reproduction
from streamssl.host.local import LocalHost
from streamssl.transport.memory import MemoryTransport
from tests.engine.fake_learner import FIRST_FINAL_EPOCH
from tests.engine.world import World

FIRST = {
    "space": "0/provisional",
    "previous": None,
    "epoch": 1,
    "instance": 0,
    "reason": "start",
    "kind": "space",
}
SECOND = FIRST | {
    "space": "0/space-1",
    "previous": "0/provisional",
    "epoch": FIRST_FINAL_EPOCH,
    "reason": "first training burst over",
}


def announced(world: World) -> list[dict[str, object]]:
    """What the spaces topic holds; every value under the name of its space, in one partition."""
    records = world.broker.records("streamssl.spaces")
    values = [json.loads(record.value or b"") for record in records]
    assert [record.key for record in records] == [value["space"].encode() for value in values]
    assert {record.partition for record in records} <= {0}
    return values


@settings(max_examples=12, deadline=None)
@given(moments=st.lists(st.integers(1, 60), max_size=6), cuts=st.integers(0, 2**32))
def test_kills_at_any_moment_announce_each_space_once(moments: list[int], cuts: int) -> None:
    """The announcement lands with the first vectors of its space, or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(
            Path(folder), num_partitions=3, checkpoint={"every_events": 20, "every_s": 1e9}
        )
        world.produce_noise(150, seed=cuts)
        world.run_until_drained(moments, random.Random(cuts))
        world.engine().run()
        assert announced(world) == [FIRST, SECOND]


def test_a_replay_of_the_journal_announces_the_same_bytes(tmp_path: Path) -> None:
    """The announcement follows from the journal, like every other output."""
    world = World(tmp_path, num_partitions=3)
    world.produce_noise(150)
    world.engine(cuts=random.Random(1)).run()
    transport = MemoryTransport(world.broker)
    reproduction = Reproduction(
        LocalHost(world.new_learner()), world.new_codec(), transport, Positions(), ""
    )
    values: list[bytes | None] = []
    for position, record in transport.journal(0)[0]:
        applied = reproduction.apply(record, position, publishing=True)
        assert applied is not None
        values += [r.value for r in applied.records]
    assert values == [record.value for record in world.broker.records("streamssl.spaces")]
    assert len(values) == 2


def test_a_partition_that_leaves_takes_no_announcement_with_it(tmp_path: Path) -> None:
    """It belongs to no partition: it lands with whatever lands."""
    world = World(tmp_path, num_partitions=2)
    world.produce_noise(100)
    left = [False]

    def hook(moment: str) -> None:
        if moment == "commit" and not left[0]:
            left[0] = True
            world.broker.move("streamssl", "events", 0, 0)

    world.engine(hook=hook).run()
    records = world.journal()
    assert records[0].space == "0/provisional"
    assert 0 not in records[0].ranges
    assert [r.space for r in records if r.space] == ["0/provisional", "0/space-1"]
    assert [value["space"] for value in announced(world)] == ["0/provisional", "0/space-1"]
