"""When state is saved: also of a burst after which nothing comes."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streamssl.checkpoint.store import checkpoints
from streamssl.config.sections import CheckpointConfig
from streamssl.engine.checkpoints import MAX_SAVED_UP_S, MAX_SHARE, SMALL_S, Allowance, Checkpoints
from streamssl.engine.positions import Positions
from streamssl.engine.start import CHECKPOINTS
from streamssl.engine.summary import Summary
from streamssl.host import Written
from tests.engine.world import World, stop_after
from tests.log_lines import log_lines, named
from tests.transport.faulty_broker import SimulatedCrashError


class SlowHost:
    """Remembers at a cost, and writes until it is told that it has written."""

    def __init__(self, cost_s: float) -> None:
        self.epoch, self.remember_s, self.saving = 1, 0.0, False
        self.cost_s, self.remembered, self.saved_epochs = cost_s, list[int](), list[int]()

    def remember(self, engine: dict[str, Any], journal: int) -> None:  # noqa: ARG002
        self.remembered.append(self.epoch)
        self.remember_s = self.cost_s

    def save(self, directory: Path, keep: int) -> None:  # noqa: ARG002
        self.saved_epochs.append(self.remembered[-1])
        self.saving = True

    def saved(self, *, wait: bool = False) -> list[Written]:  # noqa: ARG002
        was, self.saving = self.saving, False
        return [Written(0, 1, 0.0)] if was else []


class Bench:
    """Checkpoints over a host that is timed by hand."""

    def __init__(self, cost_s: float, **config: Any) -> None:
        self.now_s, self.host = 0.0, SlowHost(cost_s)
        self.summary = Summary()
        reporter = SimpleNamespace(summary=self.summary, checkpointed=lambda _: None)
        transport = SimpleNamespace(release_journal=lambda _: None)
        ports: Any = SimpleNamespace(
            host=self.host, reporter=reporter, transport=transport, clock=lambda: self.now_s
        )
        self.checkpoints = Checkpoints(
            ports=ports, directory=Path("unused"), config=CheckpointConfig(**config)
        )

    def epoch(self, *, after_s: float = 0.01, num_events: int = 100) -> None:
        """An epoch is learnt."""
        self.now_s += after_s
        self.summary.events += num_events
        self.host.epoch += 1
        self.checkpoints.epoch_ended(Positions())


def test_a_burst_is_remembered_to_its_last_epoch() -> None:
    """Epochs that end within a second are all remembered, and a stop saves the last one."""
    bench = Bench(0.02)
    for _ in range(20):
        bench.epoch()
    bench.checkpoints.flush()
    assert bench.host.saved_epochs == [21]
    assert (bench.summary.saved_epoch, bench.summary.unsaved) == (20, 0)


def test_a_burst_that_begins_with_a_checkpoint_is_saved_to_its_end() -> None:
    """What is learnt while a small state is being written is remembered, too."""
    bench = Bench(0.02, every_s=60.0)
    bench.epoch(after_s=100.0)
    for _ in range(5):
        bench.epoch()
    assert bench.host.saved_epochs == [2]
    bench.checkpoints.flush()
    assert bench.host.saved_epochs == [2, 7]


def test_a_large_state_is_not_copied_while_one_is_written() -> None:
    """One copy of it is in memory at a time."""
    bench = Bench(SMALL_S * 2, every_s=60.0)
    bench.epoch(after_s=100.0)
    for _ in range(5):
        bench.epoch()
    assert bench.host.remembered == [2]
    bench.checkpoints.check()
    bench.epoch()
    assert bench.host.remembered == [2, 8]


@pytest.mark.parametrize("cost_s", [0.001, 0.05, 3.0])
def test_remembering_takes_its_share_of_the_time(cost_s: float) -> None:
    """And what could be saved up, whether a copy costs little or more than that."""
    bench = Bench(cost_s, every_s=1e9, every_events=10**9)
    for _ in range(20_000):
        bench.epoch(after_s=0.1)
    spent_s = len(bench.host.remembered) * cost_s
    assert spent_s <= MAX_SHARE * bench.now_s + MAX_SAVED_UP_S + cost_s
    assert spent_s >= min(MAX_SHARE * bench.now_s, 20_000 * cost_s)


def test_no_more_than_so_much_is_saved_up() -> None:
    """A week without an epoch does not allow a minute of copying at once."""
    now_s = [0.0]
    allowance = Allowance(lambda: now_s[0])
    now_s[0] = 7 * 86_400.0
    assert allowance.is_left()
    allowance.spend(MAX_SAVED_UP_S)
    assert not allowance.is_left()


def test_a_quiet_stream_is_saved_after_every_s() -> None:
    """Once, though no epoch ends: what is remembered is written when the time has come."""
    bench = Bench(0.02, every_s=60.0)
    for _ in range(3):
        bench.epoch()
    bench.checkpoints.idle()
    assert bench.host.saved_epochs == []
    for _ in range(5):
        bench.now_s += 60.0
        bench.checkpoints.idle()
        bench.checkpoints.check()
    assert bench.host.saved_epochs == [4]
    assert (bench.summary.saved_epoch, bench.summary.unsaved) == (3, 0)


def state_dir(world: World) -> Path:
    return world.config().app.state_dir / CHECKPOINTS


def test_a_kill_after_a_quiet_minute_reads_only_the_open_epoch_again(tmp_path: Path) -> None:
    """The loop asks while nothing comes: the epochs that ended are in the state folder."""
    world = World(tmp_path)
    world.produce_noise(150)
    engine = world.engine()

    def idle() -> None:
        world.now_s += 30.0
        world.transport.end(False)
        if world.now_s > 200.0:
            raise SimulatedCrashError("idle")

    world.transport.idle = idle
    with pytest.raises(SimulatedCrashError):
        engine.run()
    learner = world.learners[0]
    newest = checkpoints(state_dir(world))[0]
    assert int(newest.name.rpartition("-")[2]) == learner.epoch > 5
    assert world.engine().run().recovered == learner.num_open_events


@pytest.mark.parametrize("num_transactions", [0, 3, 9])
def test_drained_says_what_is_saved_and_what_is_read_again(
    tmp_path: Path, num_transactions: int
) -> None:
    """As many events as the next start then reads; and the epoch is the newest checkpoint's."""
    world, stopping = World(tmp_path), threading.Event()
    for seed in (0, 1):
        world.produce_noise(75, seed=seed)
        stopping.clear()
        progress = stop_after(num_transactions, stopping)
        summary = world.engine(stopping=stopping, on_progress=progress).run()
        found = checkpoints(state_dir(world))
        assert summary.saved_epoch == (int(found[0].name[-12:]) - 1 if found else 0)
        told = summary.unsaved
        assert told == world.learners[0].num_open_events
    with log_lines() as lines:
        assert world.engine().run().recovered == told
    assert named(lines, "recovered")[0]["events"] == told
