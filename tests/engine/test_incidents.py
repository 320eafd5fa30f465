"""What is published of incidents: exactly once, over kills, moves and any cut of the input."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.engine.real_world import SMALL, RealWorld

ALERTS = {"budget": 0.02, "calibration_warmup": 32, "incident_gap": 4}
SECTIONS = {**SMALL, "alerts": ALERTS, "outputs": {"embeddings": {"enabled": False}}}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


class FaultyMachines(RealWorld):
    """Two machines that are off in turns: every 80 messages for fourteen of their own."""

    def produce_faults(self, num_messages: int) -> None:
        rng = random.Random(0)
        for i in range(num_messages):
            fields = {name: round(rng.gauss(0, 1), 4) for name in ("a", "b", "c", "d")}
            if i >= 640 and i % 80 < 28:
                fields["abcd"[i // 80 % 4]] += 30.0
            place, value = i % 2 % self.broker.num_partitions, json.dumps(fields).encode()
            self.broker.produce("events", place, value, key=b"m%d" % (i % 2))

    def told(self) -> list[tuple[int, bytes, dict[str, Any]]]:
        """Partition, key and value of every record of the topic."""
        records = self.broker.records("streamssl.incidents")
        return [(m.partition, m.key or b"", json.loads(m.value or b"")) for m in records]


def faulty(folder: Path, num_partitions: int, **sections: Any) -> FaultyMachines:
    world = FaultyMachines(folder, num_partitions=num_partitions, **(SECTIONS | sections))
    world.produce_faults(1_300)
    return world


def past(learner: Any) -> dict[str, Any]:
    """What a learner remembers of finished incidents."""
    state: dict[str, Any] = learner._model.ensemble.past.state_dict()
    return state


def test_incidents_are_told_in_the_partition_of_their_events(tmp_path: Path) -> None:
    """Each has one start, which is its first record, and at most one end, which is the last."""
    world = faulty(tmp_path, 2)
    world.engine().run()
    by_incident: dict[str, list[str]] = {}
    for partition, key, value in world.told():
        assert value["incident_id"].startswith(f"events/{partition}/")
        assert key.decode() == value["key"] == f"m{partition}"
        by_incident.setdefault(value["incident_id"], []).append(value["kind"])
    assert len(by_incident) > 5
    for kinds in by_incident.values():
        assert kinds[0] == "start"
        assert "end" not in kinds[:-1]
    assert [kinds[-1] for kinds in by_incident.values()].count("end") > 5
    assert any(value["neighbours"] for _, _, value in world.told())


def test_kills_leave_no_trace_in_what_is_told(tmp_path: Path) -> None:
    """Killed in the middle of incidents, and restarted from checkpoint and journal: same bytes."""
    calm, rough = faulty(tmp_path / "calm", 1), faulty(tmp_path / "rough", 1)
    calm.engine().run()
    killed = rough.run_until_drained([90, 61, 74, 80, 95], random.Random(5))
    assert killed >= 4
    assert len(rough.told()) > 20
    assert rough.every_byte() == calm.every_byte()
    np.testing.assert_equal(past(rough.learners[0]), past(calm.learners[0]))


def test_the_journal_tells_the_same_again(tmp_path: Path) -> None:
    """Two partitions, one of which leaves and comes back while incidents are open."""
    whole = {"every_events": 10**6, "every_s": 1e9}  # No record is released.
    world, count = faulty(tmp_path, 2, checkpoint=whole), [0]

    def moves(_: str) -> None:
        count[0] += 1
        if count[0] % 67 == 0:
            world.broker.move("streamssl", "events", count[0] % 2, 0)

    world.engine(hook=moves, cuts=random.Random(2)).run()
    assert any(record.dropped for record in world.journal())
    published, found, learner = world.reproduced()
    assert published == world.every_byte()
    assert len(published["incidents", 0]) > 10
    assert found.differing_epochs == []
    np.testing.assert_equal(past(learner), past(world.learners[0]))
