"""`run --init-from`: machines that were learnt from a file are known to the daemon."""

from __future__ import annotations

import json
import logging
import random
from pathlib import Path

import numpy as np
import pytest

from streamssl.data.events import EventBatch
from streamssl.stream import StreamLearner
from tests.engine.real_world import SMALL, RealWorld

NUM_MACHINES, WINDOW = 4, 8
FIELDS = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `replay --save` leaves of a file: all machines in one partition."""
    folder = tmp_path_factory.mktemp("pretrained")
    learner = StreamLearner(RealWorld(folder, **SMALL).config())
    values = np.random.default_rng(0).normal(size=(3_000, len(FIELDS)))
    keys = [f"m{row % NUM_MACHINES}" for row in range(3_000)]
    learner.process(EventBatch.from_numpy(values, fields=FIELDS, key=keys))
    learner.save(folder)
    return folder


def world_of(folder: Path, num_events: int, num_partitions: int) -> RealWorld:
    world = RealWorld(folder, num_partitions=num_partitions, **SMALL)
    rng = random.Random(1)
    for row in range(num_events):
        machine = row % (NUM_MACHINES + 1)  # One more than was learnt.
        value = json.dumps({name: round(rng.gauss(0, 1), 4) for name in FIELDS}).encode()
        world.broker.produce("events", machine % num_partitions, value, key=b"m%d" % machine)
    return world


def num_warming(world: RealWorld) -> dict[str, int]:
    found = {f"m{machine}": 0 for machine in range(NUM_MACHINES + 1)}
    for topic, _, value in world.published():
        if topic == "scores":
            event = json.loads(value or b"")
            found[event["key"]] += event["warming"]
    return found


def test_machines_that_were_learnt_are_warming_for_one_window(
    pretrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In whatever partition they are; the log says what was carried over."""
    world = world_of(tmp_path, 300, 3)
    with caplog.at_level(logging.INFO, "streamssl.engine.start"):
        world.engine(init_from=pretrained).run()
    assert num_warming(world) == {"m0": 8, "m1": 8, "m2": 8, "m3": 8, "m4": 60}
    events = {vars(record)["event"]: record for record in caplog.records}
    told = events["state_carried"]
    assert "4 keys" in told.getMessage()
    assert vars(told)["num_keys"] == NUM_MACHINES


@pytest.mark.parametrize("moment", [3, 20, 45])
def test_a_kill_changes_nothing_of_it(pretrained: Path, tmp_path: Path, moment: int) -> None:
    """Whether before or after the first checkpoint, and with other polls: the same bytes."""
    whole, killed = (world_of(tmp_path / name, 300, 1) for name in ("whole", "killed"))
    whole.engine(init_from=pretrained).run()
    cuts = random.Random(moment)
    assert killed.run_until_drained([moment], cuts, init_from=pretrained) == 1
    assert sorted(killed.published(), key=repr) == sorted(whole.published(), key=repr)
