"""The log tells the story of a run: without the code, an operator knows what happened."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from streamssl.config.settings import load_config
from streamssl.engine import daemon as daemon_module
from streamssl.telemetry.log_events import EVENTS
from tests.engine.real_world import SMALL, RealWorld
from tests.engine.world import World, stop_after
from tests.log_lines import Line, events, log_lines, named

ALWAYS = {"time", "level", "logger", "event", "message"}
ALERTS = {"alerts": {"calibration_warmup": 32, "incident_gap": 4, "budget": 0.02}}


def is_subsequence(wanted: list[str], found: list[str]) -> bool:
    """Whether the wanted names come in this order, whatever lies between."""
    rest = iter(found)
    return all(name in rest for name in wanted)


def undocumented(lines: list[Line]) -> list[Line]:
    """Lines whose event, level or fields are not in the table."""
    return [
        line
        for line in lines
        if line.get("event") not in EVENTS
        or line["level"] != EVENTS[line["event"]].level
        or set(line) - {"exception"} != ALWAYS | set(EVENTS[line["event"]].fields)
    ]


def test_the_story_of_a_run_reads_in_order(tmp_path: Path) -> None:
    """Start, channels, warming, training, running, incidents, dead letters, drain; then again."""
    world = RealWorld(tmp_path, num_partitions=2, **SMALL, **ALERTS)
    world.produce_noise(3_000)
    with log_lines() as first:
        world.engine().run()
    assert is_subsequence(
        ["phase", "recovering", "recovered", "started", "phase", "channels", "space", "phase"],
        events(first),
    )
    phases = [(line["before"], line["after"]) for line in named(first, "phase")]
    assert phases[:2] == [("starting", "recovering"), ("recovering", "warming")]
    assert ("warming", "running") in phases
    assert phases[-1][1] == "draining"
    assert [line["state"] for line in named(first, "training_burst")] == ["begins", "over"]
    spaces = [line["space"] for line in named(first, "space")]
    assert spaces == ["0/provisional", "0/space-1", "0/space-2", "0/space-3"]
    assert [line["previous"] for line in named(first, "space")][1:] == spaces[:-1]
    begun = named(first, "started")[0]
    assert (begun["state"], begun["epoch"], begun["channels"]) == ("fresh", 1, None)
    assert named(first, "channels")[0]["channels"] == ["a", "b", "c", "d"]
    bad = named(first, "dead_letter")
    assert [(line["reason"], line["sample"]) for line in bad] == [("bad_json", "{")]
    assert "input.codec" in bad[0]["message"]
    assert named(first, "dead_letters")[-1]["reasons"]["bad_json"] > 1
    starts = [x for x in named(first, "incident") if x["incident_state"] == "start"]
    ends = [x for x in named(first, "incident") if x["incident_state"] == "end"]
    # At a budget of 2 % noise opens incidents of its own, which are small.
    grave = [line for line in starts if line["severity"] in ("high", "critical")]
    assert {line["top_field"] for line in grave} == {"a"}
    assert {line["incident_id"] for line in ends} <= {line["incident_id"] for line in starts}
    assert all(line["anomalies"] >= 1 and line["seconds"] >= 0 for line in ends)

    world.produce_noise(100, seed=1)
    with log_lines() as second:
        world.engine().run()
    again = named(second, "started")[0]
    assert (again["state"], again["channels"]) == ("checkpoint", ["a", "b", "c", "d"])
    assert sum(again["positions"].values()) == 3_000
    assert again["config_hash"] == begun["config_hash"]
    recovering, recovered = named(second, "recovering")[0], named(second, "recovered")[0]
    assert "checkpoint-" in recovering["path"]
    assert (recovered["num_records"], recovered["gap"]) == (recovering["num_records"], False)
    assert undocumented(first) == undocumented(second) == []


def test_a_run_told_for_debugging_is_documented_too(tmp_path: Path) -> None:
    """Lines of level DEBUG are in the table as well."""
    world = RealWorld(tmp_path, **SMALL)
    world.produce_noise(300)
    with log_lines("DEBUG") as lines:
        world.engine().run()
    assert {"epoch", "checkpoint_saved"} <= set(events(lines))
    assert undocumented([line for line in lines if line["logger"].startswith("streamssl")]) == []


def test_a_burst_that_a_stop_cut_goes_on(tmp_path: Path) -> None:
    """The next process says that it goes on, and that it is over."""
    learn = {**SMALL["learn"], "burst_steps": 12}
    world = RealWorld(tmp_path, **{**SMALL, "learn": learn})
    world.produce_noise(1_000)
    stopping = threading.Event()
    with log_lines() as cut:
        world.engine(stopping=stopping, on_progress=stop_after(7, stopping)).run()
    with log_lines() as rest:
        world.engine().run()
    assert [line["state"] for line in named(cut, "training_burst")] == ["begins"]
    assert named(cut, "phase")[-1]["after"] == "draining"  # whatever is learnt meanwhile
    assert [line["state"] for line in named(rest, "training_burst")] == ["goes on", "over"]


def test_thinning_is_told_once_and_its_end(tmp_path: Path) -> None:
    """A lag that thins learning is a line, and that it does no more is another."""
    world = World(tmp_path, learn={"thin_above_lag": 50})
    world.produce_noise(400)
    with log_lines() as lines:
        world.engine().run()
    told = [name for name in events(lines) if name.startswith("learning")]
    assert told == ["learning_thinned", "learning_whole"]
    assert 0 < named(lines, "learning_thinned")[0]["percent"] < 100


@pytest.mark.usefixtures("signals_as_before")
def test_a_signal_while_the_daemon_x(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading torch may take long: a stop meanwhile ends at once, with its lines and code 0."""

    def build(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def leave(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(daemon_module, "Daemon", build)
    monkeypatch.setattr(os, "_exit", leave)
    config = load_config({"app": {"state_dir": str(tmp_path)}}, environ={})
    with log_lines() as lines, pytest.raises(SystemExit) as left:
        daemon_module.run_daemon(config)
    assert left.value.code == 0
    assert events(lines) == ["starting", "draining", "drained"]
