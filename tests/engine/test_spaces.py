"""Every change of the embedding space is announced, once."""

from __future__ import annotations

import json
import math
import random
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.engine.positions import Positions
from streamssl.engine.recovery import Reproduction
from streamssl.engine.spaces import begun_space
from streamssl.host.local import LocalHost
from streamssl.telemetry import Metrics
from streamssl.transport.journal import JournalRecord, decode_record
from streamssl.transport.memory import MemoryTransport
from tests.engine.fake_learner import FIRST_FINAL_EPOCH, OPENING
from tests.engine.world import World
from tests.log_lines import log_lines, named

FIRST: dict[str, object] = {
    "space": "0/provisional",
    "previous": None,
    "epoch": 1,
    "instance": 0,
    "reason": "start",
    "slices": [],
    "maps": [],
    "anchor_cosine": None,
    "anchor_cosine_unmapped": None,
    "kind": "space",
}
SECOND = FIRST | {
    "space": "0/space-1",
    "previous": "0/provisional",
    "epoch": FIRST_FINAL_EPOCH,
    "reason": "doubling",
    "slices": [
        {"name": "state", "begin": 0, "end": 1},
        {"name": "network", "begin": 1, "end": 2},
    ],
    "maps": [{"name": "state", "weight": [[0.5]], "bias": [-1.25]}],
    "anchor_cosine": 0.96875,
    "anchor_cosine_unmapped": 0.123457,
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


def reproduced(world: World, records: list[tuple[int, JournalRecord]]) -> list[bytes | None]:
    """What a reproduction of journal records announces."""
    reproduction = Reproduction(
        LocalHost(world.new_learner()),
        world.new_codec(),
        MemoryTransport(world.broker),
        Positions(),
        "",
    )
    values: list[bytes | None] = []
    for position, record in records:
        applied = reproduction.apply(record, position, publishing=True)
        assert applied is not None
        values += [r.value for r in applied.records]
    return values


def test_a_replay_of_the_journal_announces_the_same_bytes(tmp_path: Path) -> None:
    """The announcement follows from the journal, like every other output."""
    world = World(tmp_path, num_partitions=3)
    world.produce_noise(150)
    world.engine(cuts=random.Random(1)).run()
    records = MemoryTransport(world.broker).journal(0)[0]
    published = [record.value for record in world.broker.records("streamssl.spaces")]
    assert reproduced(world, records) == published
    assert len(published) == 2

    # Records of before openings were noted are reproduced, and announce what they know.
    old = [(at, msgspec.structs.replace(record, opening=None)) for at, record in records]
    first, second = map(json.loads, filter(None, reproduced(world, old)))
    assert first == FIRST
    assert second == FIRST | {name: SECOND[name] for name in ("space", "previous", "epoch")} | {
        "reason": "warm-up"
    }


def test_the_record_keeps_the_opening_with_what_lands() -> None:
    """It comes back as it went, stays while anything lands, and old records have none."""
    record = JournalRecord(
        instance=0, seq=1, epoch=4, ranges={0: (0, 1, 1, 7)}, space=OPENING.space, opening=OPENING
    )
    assert decode_record(record.encode()) == record
    assert isinstance(decode_record(record.encode()).opening, type(OPENING))
    assert record.without({1}).opening == OPENING
    assert record.without({0}).opening is None
    old = b'{"instance":0,"seq":1,"epoch":4,"space":"0/space-1"}'
    assert decode_record(old).opening is None


@pytest.mark.parametrize(
    ("own", "announced_before", "told"),
    [(None, "0/provisional", "0/provisional"), ("0/space-2", "0/space-1", "0/space-2")],
)
def test_maps_lead_from_the_space_that_the_opening_names(
    own: str | None, announced_before: str, told: str
) -> None:
    """Where it names none, the one announced before is the one before."""
    opening = OPENING._replace(previous=own)
    record = JournalRecord(instance=0, seq=1, epoch=4, space=opening.space, opening=opening)
    begun = begun_space(record, announced_before)
    assert begun == opening._replace(previous=told)


def test_log_metric_and_summary_tell_of_the_space(tmp_path: Path) -> None:
    """All but the maps; after a restart, too, which announces nothing."""
    world, metrics = World(tmp_path), [Metrics(), Metrics()]
    gauge = "streamssl_space_anchor_cosine"
    assert math.isnan(metrics[0].registry.get_sample_value(gauge) or 0.0)
    world.produce_noise(60)
    with log_lines() as lines:
        summary = world.engine(metrics=metrics[0]).run()
    assert [line["reason"] for line in named(lines, "space")] == ["start", "doubling"]
    shown = {
        "space": "0/space-1",
        "previous": "0/provisional",
        "reason": "doubling",
        "slices": {"state": [0, 1], "network": [1, 2]},
        "anchor_cosine": 0.96875,
        "anchor_cosine_unmapped": 0.123457,
    }
    assert shown | {"epoch": FIRST_FINAL_EPOCH} == {
        name: named(lines, "space")[1][name] for name in (*shown, "epoch")
    }
    assert (summary.spaces, summary.last_space) == ({"start": 1, "doubling": 1}, shown)
    world.produce_noise(20)
    again = world.engine(metrics=metrics[1]).run()
    assert (again.spaces, again.last_space) == ({}, shown | {"previous": None})
    for one in metrics:
        assert one.registry.get_sample_value(gauge) == 0.96875


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
