"""A state folder that is lost or wrong is told as that, and not started on silently."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from streamssl.checkpoint import MissingStateError, WrongStateError
from streamssl.checkpoint.store import checkpoints
from streamssl.engine.start import CHECKPOINTS
from tests.engine.test_loop import expected_ids
from tests.engine.world import Bomb, World
from tests.log_lines import events, log_lines, named
from tests.transport.faulty_broker import SimulatedCrashError

SOON = {"every_events": 20, "every_s": 1e9, "keep": 2}


def state_dir(world: World) -> Path:
    return world.config().app.state_dir


def ran(world: World, num_messages: int = 60, seed: int = 0, **arguments: Any) -> None:
    """Produce, and let one process do all of it."""
    world.produce_noise(num_messages, seed=seed)
    world.engine(**arguments).run()


def test_an_empty_folder_is_not_started_on(tmp_path: Path) -> None:
    """The error names folder, history and both ways out; nothing is published, nor claimed."""
    world = World(tmp_path)
    ran(world)
    published, last = world.scores(), world.journal()[-1]
    world.lose_state(on_missing_state="fail")
    world.produce_noise(10, seed=1)
    for _ in range(2):  # A restart changes nothing.
        with pytest.raises(MissingStateError) as told:
            world.engine().run()
        assert told.value.exit_code == 4
        assert str(state_dir(world)) in str(told.value)
        assert f"up to record {last.seq}, epoch {last.epoch}" in str(told.value)
        assert "app.on_missing_state: fresh" in str(told.value)
        assert world.scores() == published


@pytest.mark.parametrize("expired", [3, None])
def test_an_expired_journal_is_a_history_too(tmp_path: Path, expired: int | None) -> None:
    """Of a shortened journal, or one that is empty by now, the state is lost all the same."""
    world = World(tmp_path)
    ran(world)
    shutil.rmtree(state_dir(world) / CHECKPOINTS)  # The folder is ours, its checkpoints are gone.
    end = world.broker.end("streamssl.journal", 0)
    world.broker.expire("streamssl.journal", 0, expired or end)
    with pytest.raises(MissingStateError, match="holds no state"):
        world.engine().run()


def test_a_confirmed_start_is_told_in_one_line(tmp_path: Path) -> None:
    """`fresh` begins with what journal and input still give, and says so."""
    world = World(tmp_path)
    ran(world)
    world.lose_state()
    with log_lines() as lines:
        ran(world, 10, seed=1)
    (told,) = named(lines, "state_missing")
    assert told["level"] == "WARNING"
    assert told["seq"] == named(lines, "recovered")[0]["num_records"]
    assert world.ids() == expected_ids(world)
    with log_lines() as lines:
        ran(world, 10, seed=2)
    assert not named(lines, "state_missing")


def test_a_death_before_the_first_checkpoint_is_no_loss(tmp_path: Path) -> None:
    """The folder is known as the instance's, and the journal has all of it."""
    world = World(tmp_path, checkpoint={"every_events": 10**6, "every_s": 1e9})
    world.produce_noise(60)
    with pytest.raises(SimulatedCrashError):
        world.engine(hook=Bomb(30)).run()
    assert world.journal()
    assert not checkpoints(state_dir(world) / CHECKPOINTS)
    world.engine().run()
    assert world.ids() == expected_ids(world)


def test_a_folder_of_the_time_before_owners_is_taken_over(tmp_path: Path) -> None:
    """Checkpoints without the note of an owner are used, and noted."""
    world = World(tmp_path)
    ran(world)
    (state_dir(world) / "owner.json").unlink()
    ran(world, 10, seed=1)
    assert (state_dir(world) / "owner.json").exists()
    assert world.ids() == expected_ids(world)


@pytest.mark.parametrize("fresh", [False, True])
def test_another_instance_s_folder_is_refused(tmp_path: Path, fresh: bool) -> None:
    """It names both, and how to begin from what the other learnt; `fresh` does not overrule it."""
    world = World(tmp_path, num_partitions=2)
    ran(world)
    shutil.copytree(state_dir(world), world.config(1).app.state_dir)
    world.sections["app"] = {"on_missing_state": "fresh" if fresh else "fail"}
    with pytest.raises(WrongStateError) as told:
        world.engine(1).run()
    assert told.value.exit_code == 4
    for words in ("that of instance 0 of streamssl", "this is instance 1", "--init-from"):
        assert words in str(told.value)


@pytest.mark.parametrize(("more", "event"), [(0, "state_other"), (60, "gap")])
def test_back_on_the_right_folder_no_hardware_is_blamed(
    tmp_path: Path, more: int, event: str
) -> None:
    """Lost, begun afresh, and found again (as of then, or older): the log says what happened."""
    world, kept = World(tmp_path / "world"), tmp_path / "kept"
    ran(world)
    shutil.copytree(state_dir(world), kept)
    ran(world, more, seed=1)
    world.broker.expire("events", 0, 10)
    world.lose_state()
    ran(world, 60, seed=2)
    shutil.rmtree(state_dir(world))
    shutil.copytree(kept, state_dir(world))
    with log_lines() as lines:
        ran(world, 30, seed=3)
    (told,) = [line for line in lines if line["event"] in ("gap", "state_other")]
    assert told["event"] == event
    assert "it was lost" in told["message"]
    assert told.get("cause", "state_other") == "state_other"
    assert not {"not_deterministic", "rebased"} & set(events(lines))


def test_a_state_that_did_not_publish_is_told_as_that(tmp_path: Path) -> None:
    """A checkpoint that is intact but of another life is no fault of the hardware."""
    world, other = World(tmp_path / "world"), World(tmp_path / "other")
    for seed, place in enumerate((world, other)):
        ran(place, 60, seed=seed)
    seq = world.journal()[-1].seq
    assert seq == other.journal()[-1].seq
    ran(world, 60, seed=2)  # The journal goes on, and the folder is exchanged.
    shutil.rmtree(state_dir(world))
    shutil.copytree(state_dir(other), state_dir(world))
    with log_lines() as lines:
        ran(world, 10, seed=3)
    (told,) = named(lines, "state_other")
    assert told["seq"] > 0
    assert "not_deterministic" not in events(lines)
    assert world.ids() == expected_ids(world)


def test_an_old_copy_is_told_as_that(tmp_path: Path) -> None:
    """The journal was shortened behind newer checkpoints than those in the folder."""
    world, kept = World(tmp_path / "world", checkpoint=SOON), tmp_path / "kept"
    ran(world, 40)
    shutil.copytree(state_dir(world), kept)
    ran(world, 200, seed=1)
    shutil.rmtree(state_dir(world))
    shutil.copytree(kept, state_dir(world))
    with log_lines() as lines:
        ran(world, 10, seed=2)
    (told,) = named(lines, "gap")
    assert told["cause"] == "state_old"
    assert "old copy" in told["message"]
    assert told["change"].startswith("gap: epochs")


def test_a_folder_ahead_of_the_journal_is_told_as_that(tmp_path: Path) -> None:
    """The journal's topic was made anew under it."""
    world = World(tmp_path)
    ran(world)
    log = world.broker._logs["streamssl.journal", 0]
    log.messages, log.offsets, log.end = [], [], 0
    with log_lines() as lines:
        ran(world, 10, seed=1)
    (told,) = named(lines, "gap")
    assert told["cause"] == "state_ahead"
    assert "ahead of the journal" in told["message"]
