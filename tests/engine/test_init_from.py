"""`run --init-from`: machines that were learnt from a file are known to the daemon."""

from __future__ import annotations

import json
import logging
import random
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from streamssl.checkpoint import CheckpointError
from streamssl.cli.app import app
from streamssl.data.events import EventBatch
from streamssl.stream import StreamLearner
from tests.engine.real_world import SMALL, RealWorld
from tests.log_lines import events, log_lines, named

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
            found[event["key"]] += event["warming"] == "new"
    return found


def test_machines_that_were_learnt_are_warming_for_one_window(
    pretrained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In whatever partition they are; one that joins is so for 50 events. The log says it."""
    world = world_of(tmp_path, 300, 3)
    with caplog.at_level(logging.INFO, "streamssl.engine.start"):
        world.engine(init_from=pretrained).run()
    assert num_warming(world) == {"m0": 8, "m1": 8, "m2": 8, "m3": 8, "m4": 50}
    records = {vars(record)["event"]: record for record in caplog.records}
    told = records["state_carried"]
    assert "4 keys" in told.getMessage()
    assert vars(told)["num_keys"] == NUM_MACHINES


def test_other_channels_are_refused_before_anything_begins(
    pretrained: Path, tmp_path: Path
) -> None:
    """The log does not say that it began; what the error says to do works, and goes on."""
    world, changed = world_of(tmp_path / "world", 300, 1), tmp_path / "changed"
    fields = {"modality": SMALL["modality"] | {"fields": ["a", "b", "e"]}}
    world.sections = world.sections | fields
    with log_lines() as lines, pytest.raises(CheckpointError) as told:
        world.engine(init_from=pretrained).run()
    assert not {"state_carried", "recovering"} & set(events(lines))
    verb = re.search(r"`streamssl (checkpoint migrate .*) NEW_FOLDER`", str(told.value))
    assert verb
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(world.sections))
    arguments = [*verb[1].split(), str(changed), "-c", str(path)]
    before = sorted(file.stat().st_mtime_ns for file in pretrained.rglob("*"))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "kept  a, b\n" in result.output
    assert sorted(file.stat().st_mtime_ns for file in pretrained.rglob("*")) == before
    assert "already" in str(CliRunner().invoke(app, arguments).exception)
    with log_lines() as lines:
        summary = world.engine(init_from=changed).run()
    (line,) = named(lines, "state_carried")
    assert line["num_keys"] == NUM_MACHINES
    assert named(lines, "recovering")[0]["state"] == "initial"
    assert (summary.events, summary.channels) == (300, ["a", "b", "e"])


@pytest.mark.parametrize("moment", [3, 20, 45])
def test_a_kill_changes_nothing_of_it(pretrained: Path, tmp_path: Path, moment: int) -> None:
    """Whether before or after the first checkpoint, and with other polls: the same bytes."""
    whole, killed = (world_of(tmp_path / name, 300, 1) for name in ("whole", "killed"))
    whole.engine(init_from=pretrained).run()
    cuts = random.Random(moment)
    assert killed.run_until_drained([moment], cuts, init_from=pretrained) == 1
    assert sorted(killed.published(), key=repr) == sorted(whole.published(), key=repr)
