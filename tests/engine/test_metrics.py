"""What the engine tells the world."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from streamssl.engine.daemon import Daemon
from streamssl.engine.summary import Summary
from streamssl.host import LearnerProcessError
from streamssl.host.local import LocalHost
from streamssl.telemetry import Health, Metrics
from tests.engine.world import World


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One exported figure."""
    return metrics.registry.get_sample_value(f"streamssl_{name}", labels)


def silent(folder: Path) -> World:
    """A world whose daemons open no port."""
    return World(folder, telemetry={"enabled": False})


@pytest.mark.parametrize(("budget", "target"), [(0.01, 0.01), ("20/day", math.nan)])
def test_the_alert_budget_is_exported_where_it_is_a_share(
    tmp_path: Path, budget: float | str, target: float
) -> None:
    """A rule may hold the alert rate against the budget; incidents a day compare with nothing."""
    metrics = Metrics()
    World(tmp_path, alerts={"budget": budget}).engine(metrics=metrics)
    found = metrics.registry.get_sample_value("streamssl_alert_rate_target_ratio")
    assert found == pytest.approx(target, nan_ok=True)


def test_the_newest_event_time_is_that_of_all_partitions_held(tmp_path: Path) -> None:
    """A partition that lags behind does not make the input look silent."""
    world, metrics = World(tmp_path, num_partitions=3), Metrics()
    world.produce([1.0] * 3, partition=2)
    world.produce([1.0] * 30, partition=0)  # the event time is the offset
    told: list[float | None] = []

    def newest(_: Summary) -> None:
        told.append(sample(metrics, "input_last_event_timestamp_seconds", topic="events"))

    world.engine(metrics=metrics, on_progress=newest).run()
    assert told[-1] == 29
    world.produce([1.0] * 5, partition=2)
    world.engine(metrics=metrics, on_progress=newest).run()
    assert told[-1] == 7  # another process: what it saw itself

    told.clear()
    world.produce([1.0] * 3, partition=0)

    def late() -> None:
        world.transport.idle = lambda: None
        world.produce([1.0] * 2, partition=1)
        world.transport.ended = False

    world.engine(metrics=metrics, on_progress=newest)
    world.transport.idle = late
    world.engines[0].run()
    assert told[-1] == 32


def test_latency_counts_from_the_poll_and_lag_what_waits(tmp_path: Path) -> None:
    """What was polled and waits in the intake is lag, and its latency goes on."""
    world, metrics = World(tmp_path), Metrics()
    world.produce([[1.0] * 4] * 10)
    lags: list[float | None] = []

    def turned(summary: Summary) -> None:
        if summary.transactions > len(lags):
            world.now_s += 2.0
            lags.append(sample(metrics, "input_lag_records", topic="events", partition="0"))

    world.engine(metrics=metrics, on_progress=turned).run()
    assert lags[1] == 9  # four messages were polled, of which one fills the first epoch
    total = sample(metrics, "event_latency_seconds_sum")
    assert total is not None
    assert total == pytest.approx(4 * (2.0 + 4.0 + 6.0), abs=1.0)


def test_an_incident_is_counted_once_everywhere(tmp_path: Path) -> None:
    """The summary and the metric are one count."""
    world, metrics = World(tmp_path), Metrics()
    world.produce([0.1] * 10 + [50.0])
    summary = world.engine(metrics=metrics).run()
    assert summary.incidents == sample(metrics, "incidents_total") == 1


def test_what_is_not_known_is_not_exported_as_a_figure(tmp_path: Path) -> None:
    """The lag is NaN while the end is not known or the broker is away; so is a commit's age."""
    world, metrics, health = World(tmp_path), Metrics(), Health()
    world.produce([1.0] * 8)
    lags: list[float | None] = []
    engine = world.engine(metrics=metrics, health=health, on_progress=lambda _: look())

    def look() -> None:
        world.now_s += 2.0  # the lag is told once a second
        lags.append(sample(metrics, "input_lag_records", topic="events", partition="0"))

    assert math.isnan(sample(metrics, "commit_age_seconds") or 0.0)
    assert sample(metrics, "ready") == sample(metrics, "broker_reachable") == 0
    engine.run()
    assert lags[-1] == 0
    assert 2.0 < (sample(metrics, "commit_age_seconds") or 0.0) < 100.0
    health.broker_away("timed out")
    look()
    assert sample(metrics, "broker_reachable") == 0
    health.broker_back()
    look()
    assert sample(metrics, "broker_reachable") == 1
    world.transport.lags = {}
    engine._ports.reporter.report_assignment({0: 1}, {})
    look()
    assert [str(lag) for lag in lags[-4:]] == ["0.0", "nan", "0.0", "nan"]


def test_a_dead_learner_fails_every_probe_and_ends_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though no input comes; the probes say so before everything is closed."""

    def died(_: LocalHost) -> None:
        raise LearnerProcessError(-9)

    told: list[list[str]] = []
    world, health = silent(tmp_path), Health()
    engine = world.engine(health=health)
    monkeypatch.setattr(LocalHost, "check_alive", died)
    monkeypatch.setattr(world.transport, "close", lambda: told.extend([health.live()]))
    with pytest.raises(LearnerProcessError, match="SIGKILL"):
        engine.run()
    assert "SIGKILL" in told[0][0]
    assert health.ready() == health.live() == told[0]
    daemon = Daemon(world.config(), None, None, Health(), threading.Event())
    with pytest.raises(LearnerProcessError):
        daemon._waiting()  # for a broker that is away


def test_memory_of_both_processes_is_exported(tmp_path: Path) -> None:
    """The learner's beside the engine's; nothing is invented for a process that has ended."""
    metrics = Metrics()
    metrics.watch_memory("engine", os.getpid())
    metrics.watch_memory("learner", -1)
    assert (sample(metrics, "resident_memory_bytes", process="engine") or 0.0) > 2**20
    assert math.isnan(sample(metrics, "resident_memory_bytes", process="learner") or 0.0)
    daemon = Daemon(silent(tmp_path).config(), None, None, Health(), threading.Event())
    assert (sample(daemon._metrics, "resident_memory_bytes", process="engine") or 0.0) > 2**20


def test_settled_transactions_are_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon passes on how often the transport had to ask the journal."""
    config = silent(tmp_path).config()
    daemon = Daemon(config, None, None, Health(), threading.Event())
    for num_settled in (0, 2, 2, 3):
        settled = SimpleNamespace(num_settled=num_settled, trouble="")
        monkeypatch.setattr(daemon, "_transport", settled)
        daemon._turned(Summary())
        assert sample(daemon._metrics, "transactions_settled_total") == num_settled
