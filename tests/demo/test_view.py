"""The live view says what happened, once, and survives figures that are not there yet."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from streamssl.demo.incidents import Evaluation, Incident, Judgement
from streamssl.demo.script import InjectedFault
from streamssl.demo.state import DaemonFigures, RunState, TrafficFigures, read_figures
from streamssl.demo.view import LineView, ScreenView, screen

FAULT = InjectedFault("pump-1", "flow", "drift", 100.0, 104.0)
INCIDENT = Incident("i", "pump-1", 101.0, 102.0, ["flow"] * 8)
EMPTY = RunState(
    phase="starting",
    elapsed_s=0.0,
    traffic=TrafficFigures(),
    daemon=DaemonFigures(),
    origin=90.0,
    stream_time=0.0,
    grace_s=3.0,
)
EXPOSITION = """\
# TYPE streamssl_loss gauge
streamssl_loss{objective="moco"} 2.5
streamssl_loss{objective="next_step"} 0.25
# TYPE streamssl_input_lag_records gauge
streamssl_input_lag_records{topic="events",partition="0"} 3
streamssl_input_lag_records{topic="events",partition="1"} 4
# TYPE streamssl_learn_steps counter
streamssl_learn_steps_total{outcome="applied"} 120
streamssl_learn_steps_total{outcome="nonfinite"} 3
# TYPE streamssl_replay_buffer_bytes gauge
streamssl_replay_buffer_bytes 25
streamssl_embedding_effective_rank 31.5
streamssl_warmup_progress_ratio 0.5
"""


def rendered(state: RunState, width: int = 80, height: int = 24) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(screen(state, height))
    return console.export_text()


def busy() -> RunState:
    """The fullest screen that there can be: the longest names, and many of everything."""
    fault = replace(FAULT, key="pump-12", field="bearing_temperature", kind="broken_coupling")
    incident = replace(INCIDENT, key="pump-12", votes=["bearing_temperature"] * 8)
    judgements = [Judgement(fault, None), Judgement(replace(fault, field="rpm"), incident)] * 20
    return replace(
        EMPTY,
        phase="live",
        elapsed_s=1e4,
        traffic=TrafficFigures(54_321, 54_321, 12_345.0, 12.345, 123.456),
        daemon=replace(read_figures(EXPOSITION, 100), lag=123_456.0, learn_steps=123_456.0),
        stream_time=1_000.0,
        incidents=(incident,) * 40,
        evaluation=Evaluation(tuple(judgements), (incident,) * 3),
    )


def test_figures_come_from_the_daemons_metrics() -> None:
    """Lag is summed over partitions, losses go by objective, replay fill is a share."""
    figures = read_figures(EXPOSITION, replay_max_bytes=100)
    assert figures == DaemonFigures(
        lag=7.0,
        learn_steps=120.0,
        effective_rank=31.5,
        replay_fill=0.25,
        warmup=0.5,
        losses={"moco": 2.5, "next_step": 0.25},
    )


def test_nothing_known_yet_is_shown_as_dashes() -> None:
    """Neither view fails before the first figure is there."""
    lines: list[str] = []
    LineView(lines.append).show(EMPTY)
    assert lines[0].startswith("  0.0 s starting · events/s - · scored 0 of 0 · lag -")
    assert "latency p50" in rendered(EMPTY)


def test_plain_lines_tell_each_fault_and_incident_once() -> None:
    """Injected, opened with its field, caught: one line each, however often it is shown."""
    lines: list[str] = []
    view = LineView(lines.append, every_s=1_000.0)
    view.show(EMPTY)
    started = replace(EMPTY, stream_time=100.5, evaluation=Evaluation((Judgement(FAULT, None),)))
    caught = replace(
        started,
        stream_time=103.0,
        evaluation=Evaluation((Judgement(FAULT, INCIDENT),)),
        incidents=(INCIDENT,),
    )
    for snapshot in (started, started, caught, caught):
        view.show(snapshot)
    assert lines[1:] == [
        "fault injected: drift on pump-1 flow at 10.0 s",
        "fault caught: drift on pump-1 flow at 10.0 s",
        "incident opened: pump-1 at 11.0 s, top field flow",
    ]


def test_figures_are_repeated_every_few_seconds_only() -> None:
    """Plain lines stay readable in a log."""
    lines: list[str] = []
    view = LineView(lines.append, every_s=3.0)
    for tenth in range(100):
        view.show(replace(EMPTY, elapsed_s=tenth / 10))
    assert len(lines) == 4


def test_outcome_of_a_fault_is_told_as_it_stands() -> None:
    """Watching until the grace is over, then missed; caught with the right or another field."""
    other = replace(INCIDENT, votes=["rpm"] * 8)
    running, over = replace(EMPTY, stream_time=106.9), replace(EMPTY, stream_time=107.1)
    assert running.outcome(Judgement(FAULT, None)) == "watching"
    assert over.outcome(Judgement(FAULT, None)) == "missed"
    assert over.outcome(Judgement(FAULT, INCIDENT)) == "caught"
    assert over.outcome(Judgement(FAULT, other)) == "caught, blamed rpm"


def test_screen_shows_figures_faults_and_incidents() -> None:
    """Everything that the demo promises to show is on the screen."""
    figures = read_figures(EXPOSITION, replay_max_bytes=100)
    judgements = Judgement(FAULT, INCIDENT), Judgement(replace(FAULT, field="rpm"), None)
    text = rendered(
        replace(
            EMPTY,
            phase="live",
            traffic=TrafficFigures(per_s=400.0, latency_p50_s=0.08, latency_p99_s=0.21),
            daemon=figures,
            stream_time=108.0,
            incidents=(INCIDENT,),
            evaluation=Evaluation(judgements, (INCIDENT,)),
        )
    )
    for words in (
        "events/s",
        "400",
        "lag",
        "0.080 s",
        "0.210 s",
        "loss moco",
        "2.500",
        "effective rank",
        "31.5",
        "replay",
        "25 %",
        "warm-up",
        "50 %",
        "drift",
        "pump-1",
        "caught",
        "missed",
        "faults 2, caught 1, false incidents 1",
    ):
        assert words in text, words


@pytest.mark.parametrize(("height", "num_incidents"), [(24, 5), (30, 8), (60, 8)])
def test_the_screen_fits_a_terminal_of_80_columns(height: int, num_incidents: int) -> None:
    """From 24 lines on nothing is cut or wrapped; a higher one shows more rows."""
    lines = rendered(busy(), height=height).splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= 80
    assert sum("pump-12" in line for line in lines) == 2 * num_incidents
    whole = "\n".join(lines)
    assert "…" not in whole
    for words in ("54,321 of 54,321", "123.456 s", "blamed bearing_temperature", "Ctrl-C stops"):
        assert words in whole, words


def test_the_last_screen_stays() -> None:
    """At the end nothing is erased; it says that it has ended."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, height=24)
    with ScreenView(console) as view:
        view.show(busy())
    last = text.getvalue().rpartition("streamssl demo")[2]
    assert "ended" in last
    assert "incidents, newest first" in last
    assert "pump-12" in last
    assert "Ctrl-C" not in last
    assert "\x1b[2K" not in last  # erase a line
