"""When transactions and epochs end, and what is journalled of it."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from streamssl.data.results import Decisions
from tests.engine.world import World, stop_after


def sizes(world: World) -> list[tuple[int, int]]:
    """(epoch, messages) of every transaction."""
    return [(r.epoch, sum(n for _, _, n, _ in r.ranges.values())) for r in world.journal()]


def test_a_transaction_ends_at_max_events(tmp_path: Path) -> None:
    """No transaction holds more than `delivery.max_events` messages, and none spans epochs."""
    world = World(tmp_path, delivery={"max_events": 3})
    world.produce([0.5] * 10)
    world.engine().run()
    assert sizes(world) == [(1, 3), (1, 1), (2, 3), (2, 1), (3, 2)]


def test_a_transaction_ends_after_the_commit_interval(tmp_path: Path) -> None:
    """A result waits at most `delivery.commit_interval_ms` after its poll."""
    world = World(tmp_path, delivery={"commit_interval_ms": 10})
    world.produce([0.5] * 2)
    engine = world.engine()
    engine.run()
    assert sizes(world) == [(1, 2)]
    assert world.now_s < 1.0


def test_a_live_epoch_ends_by_clock(tmp_path: Path) -> None:
    """`learn.max_wait_s` after its first event an epoch is learnt; the next record says why."""
    world = World(tmp_path, learn={"every": 32, "max_wait_s": 5.0})
    stopping = threading.Event()
    world.produce([0.5] * 2)
    engine = world.engine(stopping=stopping, on_progress=stop_after(2, stopping))
    world.transport.exhausted = lambda: False  # type: ignore[method-assign]
    world.transport.idle = lambda: world.later(2.0, then=[0.25])
    engine.run()
    first, second = world.journal()
    assert (first.epoch, second.epoch) == (1, 2)
    assert second.closed == {1: Decisions("clock", 1.0)}


def test_a_live_epoch_takes_what_waits_up_to_its_stretch(tmp_path: Path) -> None:
    """Four events fill an epoch; of those that wait it takes twice as many, and says so."""
    world = World(tmp_path, learn={"max_stretch": 2})
    world.produce([0.5] * 19)
    world.engine().run()
    assert sizes(world) == [(1, 8), (2, 8), (3, 3)]
    assert world.journal()[2].closed == {2: Decisions("count", 1.0, backlog=True)}
    assert not world.replay()[2]


def test_a_backtest_stretches_no_epoch(tmp_path: Path) -> None:
    """Without a clock nothing depends on what waits."""
    world = World(tmp_path, learn={"max_stretch": 8})
    world.produce([0.5] * 10)
    world.engine(live=False).run()
    assert sizes(world) == [(1, 4), (2, 4), (3, 2)]


def test_without_a_clock_epochs_end_by_count_only(tmp_path: Path) -> None:
    """A backtest never looks at the clock: the end of the input closes nothing."""
    world = World(tmp_path, learn={"every": 32, "max_wait_s": 0.001})
    world.produce([0.5] * 6)
    world.engine(live=False).run()
    assert sizes(world) == [(1, 4), (2, 2)]
    assert world.journal()[1].closed == {1: Decisions("count", 1.0)}
    assert world.learners[0].num_open_events == 2


def test_the_message_that_reaches_the_count_is_the_epochs_last(tmp_path: Path) -> None:
    """Messages of many events: an epoch ends with the message that fills it, however cut."""
    records = []
    for name, cuts in (("a", None), ("b", random.Random(1)), ("c", random.Random(2))):
        world = World(tmp_path / name)
        world.produce([[1.0] * 3, b"bad", [2.0] * 3, b"bad", [3.0] * 9, [4.0], [5.0] * 4])
        world.engine(cuts=cuts).run()
        records.append([(r.epoch, r.ranges[0][:2]) for r in world.journal()])
        last: dict[int, int] = {}
        for record in world.journal():
            last[record.epoch] = record.ranges[0][1]
        assert last == {1: 3, 2: 5, 3: 7}
        assert world.dead_letters() == [(b"bad_json", b"0/1"), (b"bad_json", b"0/3")]
    assert len(records) == 3


def test_learning_is_thinned_under_lag_and_the_rate_is_journalled(tmp_path: Path) -> None:
    """Above `learn.thin_above_lag` the share learnt shrinks; a replay learns the same share."""
    world = World(tmp_path, learn={"every": 32, "max_wait_s": 1e9, "thin_above_lag": 100})
    world.produce([float(i) for i in range(12)])
    engine = world.engine()
    world.transport.lags = {0: 400}
    engine.run()
    assert world.journal()[1].closed == {1: Decisions("count", 0.25)}
    learner, published, differing = world.replay()
    assert published == world.scores()
    assert not differing
    assert learner.decisions[1].learn_rate == pytest.approx(0.25)


def test_an_empty_input_publishes_nothing(tmp_path: Path) -> None:
    """No events: no transaction, no epoch, and a clean end."""
    world = World(tmp_path)
    summary = world.engine().run()
    assert (summary.events, summary.transactions, summary.epochs) == (0, 0, 0)
    assert world.journal() == []
