"""Recovery: what is there is used, what is missing is declared."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from streamssl.checkpoint import CheckpointError
from streamssl.checkpoint.store import checkpoints
from streamssl.data.events import OutputRecord
from streamssl.data.results import Decisions
from streamssl.engine import daemon as daemon_module
from streamssl.engine import start
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import InputDiffersError, JournalBrokenError, Reproduction
from streamssl.engine.reproduce import reproduce
from streamssl.engine.signals import RepeatFilter
from streamssl.host.local import LocalHost
from streamssl.telemetry import Health
from streamssl.transport.memory import MemoryTransport
from tests.engine.fake_learner import FakeLearner
from tests.engine.test_loop import expected_ids
from tests.engine.world import FakeCodec, World, stop_after
from tests.transport.faulty_broker import SimulatedCrashError

SOON = {"every_events": 20, "every_s": 1e9, "keep": 2}


def state_dir(world: World) -> Path:
    return world.config().app.state_dir


def changes(world: World) -> list[str]:
    """Everything that the journal says changed."""
    return [change for record in world.journal() for change in record.changes]


def told(health: Health) -> list[str]:
    """Names of the reasons why the state is degraded."""
    return list(health.status()["reasons"])


@pytest.mark.parametrize("fault", ["lost_before", "lost_after"])
def test_a_lost_commit_answer_is_settled(tmp_path: Path, fault: str) -> None:
    """Landed or not, what the transaction held is published and learnt once."""
    calm, rough = World(tmp_path / "calm"), World(tmp_path / "rough")
    for world in (calm, rough):
        world.produce_noise(60)
    rough.broker.fail_commits(None, None, fault, None, fault)  # type: ignore[arg-type]
    calm.engine().run()
    rough.engine().run()
    assert rough.scores() == calm.scores()
    assert rough.learners[0].state_crc32c() == calm.learners[0].state_crc32c()


@pytest.mark.parametrize("fault", ["crash_before", "crash_after"])
def test_a_crash_inside_the_commit_is_recovered(tmp_path: Path, fault: str) -> None:
    """The next process finds out from the journal whether the transaction landed."""
    world = World(tmp_path)
    world.produce_noise(60)
    world.broker.fail_commits(None, None, fault)  # type: ignore[arg-type]
    with pytest.raises(SimulatedCrashError):
        world.engine().run()
    world.engine().run()
    assert world.ids() == expected_ids(world)
    _, published, differing = world.replay()
    assert published == world.scores()
    assert not differing


def test_a_drain_commits_saves_the_last_epochs_end_and_learns_no_tail(tmp_path: Path) -> None:
    """A stop leaves the open epoch open; the next process closes it as if nothing happened."""
    calm, drained = World(tmp_path / "calm"), World(tmp_path / "drained")
    for world in (calm, drained):
        world.produce_noise(60)
    calm.engine().run()
    stopping = threading.Event()
    engine = drained.engine(
        stopping=stopping, on_progress=stop_after(4, stopping), cuts=random.Random(3)
    )
    engine.run()
    learner = drained.learners[0]
    newest = checkpoints(state_dir(drained) / "checkpoints")[0]
    assert int(newest.name.rpartition("-")[2]) == learner.epoch
    assert len(drained.ids()) == drained.journal()[-1].ranges[0][1]
    drained.engine().run()
    assert drained.scores() == calm.scores()
    assert drained.learners[0].state_crc32c() == calm.learners[0].state_crc32c()


def test_checkpoints_are_written_kept_and_release_the_journal(tmp_path: Path) -> None:
    """Every `every_events`, the last `keep`; the journal before the oldest of them may go."""
    world = World(tmp_path, checkpoint=SOON)
    world.produce_noise(200)
    world.engine().run()
    found = checkpoints(state_dir(world) / "checkpoints")
    assert len(found) == 2
    assert world.broker.beginning("streamssl.journal", 0) > 0
    world.produce_noise(50, seed=1)
    summary = world.engine().run()
    assert summary.recovered < 40
    assert world.ids() == expected_ids(world)
    assert changes(world) == []


def test_a_kill_during_a_checkpoint_is_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint is there whole or not at all; the journal has the rest."""
    world = World(tmp_path, checkpoint=SOON)
    world.produce_noise(100)
    rename, left = Path.rename, [2]

    def dies(path: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] == 0:
            raise SimulatedCrashError("rename")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", dies)
    with pytest.raises(SimulatedCrashError):
        world.engine().run()
    world.engine().run()
    assert world.ids() == expected_ids(world)


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the daemon goes on, degraded, with its journal."""
    world, health = World(tmp_path, checkpoint=SOON), Health()
    world.produce_noise(60)

    def full(*_: object, **__: object) -> None:
        raise CheckpointError("no space left")

    monkeypatch.setattr("streamssl.host.local.write", full)
    world.engine(health=health).run()
    assert world.ids() == expected_ids(world)
    assert "checkpoint" in health.status()["reasons"]


def test_the_state_directory_is_recovered_from_the_whole_journal(tmp_path: Path) -> None:
    """State lost, journal and input kept: nothing is lost."""
    calm, bereft = World(tmp_path / "calm"), World(tmp_path / "bereft")
    for world in (calm, bereft):
        world.produce_noise(60)
        world.engine().run()
    bereft.lose_state()
    for world in (calm, bereft):
        world.produce_noise(60, seed=1)
        world.engine().run()
    assert bereft.scores() == calm.scores()
    assert changes(bereft) == []


@pytest.mark.parametrize("expired", ["input", "journal", "both"])
def test_what_cannot_be_recovered_is_declared_a_gap(tmp_path: Path, expired: str) -> None:
    """State lost and journal or input expired: go on from what there is, say so, degraded."""
    world, health = World(tmp_path, modality={"tail_events": 5}), Health()
    world.produce_noise(60)
    world.engine().run()
    world.lose_state()
    last = world.journal()[-1]
    if expired != "journal":
        world.broker.expire("events", 0, 58)
    if expired != "input":
        world.broker.expire("streamssl.journal", 0, 3)
    world.produce_noise(60, seed=1)
    reasons: list[str] = []
    world.engine(health=health, on_progress=lambda _: reasons.extend(told(health))).run()
    assert len(set(world.ids())) == len(world.ids()) == 120
    assert changes(world) == [f"gap: epochs 1..{last.epoch} not learned"]
    after = next(record for record in world.journal() if record.changes)
    assert (after.seq, after.epoch) == (last.seq + 1, last.epoch + 1)
    assert after.tails == {0: (58 if expired != "journal" else 55, 60)}
    assert "gap" in reasons
    assert told(health) == []  # a checkpoint stands on what the gap left
    # The gap is behind a checkpoint: a later process knows nothing of it.
    calm = world.learners[0]
    world.engine().run()
    assert world.learners[0].state_crc32c() == calm.state_crc32c()


def remake_journal(world: World, keep: int) -> None:
    """Let the journal hold its first records only, as a topic made anew or truncated does."""
    log = world.broker._logs["streamssl.journal", 0]
    kept, log.end = log.messages[:keep], keep
    log.messages, log.offsets = kept, [message.offset for message in kept]


@pytest.mark.parametrize("keep", [0, 3])
def test_a_journal_that_lacks_what_the_state_contains_is_a_gap(tmp_path: Path, keep: int) -> None:
    """A topic made anew or truncated under a kept state directory: declared once, gone on from."""
    world = World(tmp_path, checkpoint=SOON | {"keep": 9})
    world.produce_noise(60)
    world.engine().run()
    last = world.journal()[-1]
    remake_journal(world, keep)
    world.engine().run()  # nothing to journal yet: the next start says it
    world.produce_noise(60, seed=1)
    world.engine().run()
    gaps = changes(world)
    assert [change.split(":")[0] for change in gaps] == ["gap"]
    after = next(record for record in world.journal() if record.changes)
    assert after.seq == last.seq + 1
    assert after.tails == {0: (0, 60)}
    assert world.ids() == expected_ids(world)
    world.produce_noise(10, seed=2)
    world.engine().run()
    assert changes(world) == gaps


def test_processes_that_die_soon_save_what_they_replayed(tmp_path: Path) -> None:
    """Replayed events count towards the next checkpoint: recovery stays bounded."""
    world = World(tmp_path, checkpoint={"every_events": 100, "every_s": 1e9})
    for seed in range(8):
        world.produce_noise(30, seed=seed)

        def hook(moment: str, stop: int = 30 * (seed + 1)) -> None:
            if moment == "committed" and len(world.ids()) == stop:
                raise SimulatedCrashError(moment)

        with pytest.raises(SimulatedCrashError):
            world.engine(hook=hook).run()
        assert world.engines[0].summary.recovered <= 150
    assert world.ids() == expected_ids(world)


@pytest.mark.parametrize("same_build", [True, False])
def test_another_state_at_recovery_is_journalled_as_rebased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same_build: bool
) -> None:
    """It is accepted and the journal says since when; an upgrade degrades nothing."""
    world, health, reasons = World(tmp_path), Health(), list[str]()
    world.produce_noise(60)
    world.engine().run()
    world.lose_state()
    world.produce_noise(10, seed=1)

    def close(self: FakeLearner, decisions: Decisions, honest=FakeLearner.close_epoch):  # type: ignore[no-untyped-def]
        report = honest(self, decisions)
        self.weight *= 1.0 + 1e-12
        return report

    monkeypatch.setattr(FakeLearner, "close_epoch", close)
    if not same_build:
        monkeypatch.setattr(start, "environment_hash", lambda *_: "other")
    last = world.journal()[-1]
    world.engine(health=health, on_progress=lambda _: reasons.extend(told(health))).run()
    assert reasons == []
    assert world.ids() == expected_ids(world)
    assert changes(world) == [f"rebased: epochs 2..{last.epoch}"]
    assert world.journal()[-1].environment == ("other" if not same_build else last.environment)


def test_input_that_changed_is_noticed(tmp_path: Path) -> None:
    """A replay compares the input with the journal's checksums."""
    world, other = World(tmp_path / "a"), World(tmp_path / "b")
    world.produce([1.0, 2.0, 3.0])
    other.produce([1.0, 2.5, 3.0])
    world.engine().run()
    reproduction = Reproduction(
        LocalHost(FakeLearner()), FakeCodec(), MemoryTransport(other.broker), Positions(), ""
    )
    with pytest.raises(InputDiffersError, match="has changed"):
        reproduction.apply(world.journal()[0], 1)


def test_a_journal_without_its_beginning_is_replayed_from_a_checkpoint(tmp_path: Path) -> None:
    """`replay --journal` begins where the journal is whole, and gives the same bytes."""
    world = World(tmp_path, checkpoint=SOON)
    world.produce_noise(200)
    world.engine().run()
    assert world.broker.beginning("streamssl.journal", 0) > 0
    written: list[tuple[int, bytes]] = []

    def write(partition: int, records: Sequence[OutputRecord]) -> None:
        written.extend((partition, record.value or b"") for record in records)

    found = reproduce(
        world.config(),
        source=MemoryTransport(world.broker),
        learner=FakeLearner(),
        codec=FakeCodec(),
        write=write,
    )
    assert written == world.scores()[-len(written) :]
    assert len(written) == found.events > 0
    assert found.differing_epochs == []
    world.lose_state()
    with pytest.raises(JournalBrokenError, match="state directory"):
        reproduce(
            world.config(),
            source=MemoryTransport(world.broker),
            learner=FakeLearner(),
            codec=FakeCodec(),
            write=write,
        )


def test_a_start_may_begin_from_what_another_run_learnt(tmp_path: Path) -> None:
    """`--init-from` counts only where the state directory holds no checkpoint."""
    first, second = World(tmp_path / "first"), World(tmp_path / "second")
    first.produce_noise(60)
    first.engine().run()
    trained = state_dir(first) / "checkpoints"
    second.produce_noise(60, seed=1)
    second.engine(init_from=trained).run()
    begun = second.journal()[0]
    assert begun.epoch == int(checkpoints(trained)[0].name.rpartition("-")[2])
    weight = second.learners[0].weight
    second.engine(init_from=tmp_path / "absent").run()
    assert second.learners[0].weight == weight
    with pytest.raises(CheckpointError, match="replay --save"):
        World(tmp_path / "third").engine(init_from=tmp_path / "absent").run()


@pytest.mark.usefixtures("signals_as_before")
def test_the_first_signal_drains_and_the_second_ends_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGTERM asks for a drain; impatience is heard. Repeated within a second it is one wish."""
    left: list[int] = []
    now_s = 100.0
    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setattr(daemon_module, "RepeatFilter", lambda: RepeatFilter(lambda: now_s))
    stopping = threading.Event()
    with daemon_module._signals(stopping, Health(), lambda: True):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopping.wait(1.0)
        os.kill(os.getpid(), signal.SIGTERM)
        now_s += 0.9
        os.kill(os.getpid(), signal.SIGINT)
        assert left == []
        now_s += 0.2
        os.kill(os.getpid(), signal.SIGTERM)
    assert left == [daemon_module.FORCED_EXIT]


def test_a_state_of_another_size_is_the_checkpoint_s_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 4, the checkpoint's path and the remedy; no defect to be reported."""
    world = World(tmp_path)
    world.produce_noise(60)
    world.engine().run()

    def refuse(*_: object) -> None:
        raise CheckpointError("the state does not fit (size mismatch for encoder.input.weight)")

    monkeypatch.setattr(FakeLearner, "load_state_dict", refuse)
    with pytest.raises(CheckpointError, match=r"checkpoint-.*size mismatch.*app.state_dir") as no:
        world.engine().run()
    assert no.value.exit_code == 4


def test_what_began_from_another_state_is_not_reproduced_from_a_fresh_one(tmp_path: Path) -> None:
    """The journal's first epoch is not the first: only the daemon's own checkpoints lead there."""
    first, second = World(tmp_path / "first"), World(tmp_path / "second")
    first.produce_noise(60)
    first.engine().run()
    second.produce_noise(60)
    second.engine(init_from=state_dir(first) / "checkpoints").run()
    second.lose_state()
    with pytest.raises(JournalBrokenError, match="--init-from"):
        reproduce(
            second.config(),
            source=second.transport,
            learner=FakeLearner(),
            codec=FakeCodec(),
            write=lambda *_: None,
        )
