"""The live view: a screen where there is a terminal, plain lines where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streamssl.demo.state import RunState

NUM_ROWS = 8
NUM_NEWS = 50


class View(Protocol):
    """Shows one state after the other."""

    def show(self, state: RunState) -> None:
        """Show the newest state."""

    def __enter__(self) -> Self:
        """Take over the terminal, where there is one."""

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""


def figure(value: float, digits: int = 2, unit: str = "") -> str:
    """A number for reading, a dash where there is none.

    Example:
        >>> figure(0.1234, 2, " s"), figure(float("nan"))
        ('0.12 s', '-')
    """
    return f"{value:,.{digits}f}{unit}" if math.isfinite(value) else "-"


def percent(value: float) -> str:
    """A share for reading."""
    return figure(100.0 * value, 0, " %")


def _pairs(state: RunState) -> Iterator[tuple[str, str]]:
    daemon, traffic = state.daemon, state.traffic
    yield "events/s", figure(traffic.per_s, 0)
    yield "scored", f"{traffic.scored:,} of {traffic.produced:,}"
    yield "lag", figure(daemon.lag, 0)
    yield "latency p50", figure(traffic.latency_p50_s, 3, " s")
    yield "p99", figure(traffic.latency_p99_s, 3, " s")
    for objective, loss in sorted(daemon.losses.items()):
        yield f"loss {objective}", figure(loss, 3)
    yield "learn steps", figure(daemon.learn_steps, 0)
    yield "effective rank", figure(daemon.effective_rank, 1)
    yield "replay", percent(daemon.replay_fill)
    yield "warm-up", percent(daemon.warmup)


def _score_line(state: RunState) -> str:
    found = state.evaluation
    false = len(found.false_incidents)
    return f"faults {len(found.judgements)}, caught {found.num_caught}, false incidents {false}"


class News:
    """Turns states into sentences: what is new since the one before."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def of(self, state: RunState) -> list[str]:
        """What has not been said yet."""
        lines = [line for line in self._lines(state) if line not in self._said]
        self._said.update(lines)
        return lines

    def _lines(self, state: RunState) -> Iterator[str]:
        now = state.stream_time

        def at(event_time: float) -> str:
            return f"{event_time - state.origin:.1f} s"

        for judgement in state.evaluation.judgements[-NUM_NEWS:]:
            fault, outcome = judgement.fault, state.outcome(judgement)
            what = f"{fault.kind} on {fault.key} {fault.field} at {at(fault.start)}"
            yield f"fault injected: {what}"
            incident = judgement.incident
            if outcome != "watching" and (incident is None or incident.settled(now)):
                yield f"fault {outcome}: {what}"
        for incident in state.incidents[-NUM_NEWS:]:
            if incident.settled(now):
                what = f"{incident.key} at {at(incident.start)}, top field {incident.top_field}"
                yield f"incident opened: {what}"


class LineView:
    """Plain lines: news at once, figures every few seconds.

    Args:
        write: Where a line goes.
        every_s: Seconds from one line of figures to the next.
    """

    def __init__(self, write: Callable[[str], None], every_s: float = 3.0) -> None:
        self._write = write
        self._every_s = every_s
        self._next_s = 0.0
        self._news = News()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to give back."""

    def show(self, state: RunState) -> None:
        """Write what is new."""
        for line in self._news.of(state):
            self._write(line)
        if state.elapsed_s >= self._next_s:
            self._next_s = state.elapsed_s + self._every_s
            figures = " · ".join(f"{name} {value}" for name, value in _pairs(state))
            self._write(
                f"{state.elapsed_s:5.1f} s {state.phase} · {figures} · {_score_line(state)}"
            )


class ScreenView:
    """A screen that is redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, state: RunState) -> None:
        """Draw the screen anew in its place."""
        self._live.update(screen(state), refresh=True)


def screen(state: RunState) -> Group:
    """The whole screen as one renderable."""
    title = f"streamssl demo · {state.phase} · {state.elapsed_s:.0f} s"
    figures = Table.grid(padding=(0, 2))
    for name, value in _pairs(state):
        figures.add_row(Text(name, style="dim"), value)
    return Group(
        Panel(figures, title=title, title_align="left"),
        _fault_table(state),
        _incident_table(state),
        Text("Ctrl-C stops, drains and reports", style="dim"),
    )


def _fault_table(state: RunState) -> Table:
    table = Table(title=_score_line(state), title_justify="left", expand=True)
    for column in ("fault", "machine", "field", "began", "outcome"):
        table.add_column(column)
    for judgement in state.evaluation.judgements[-NUM_ROWS:]:
        fault, outcome = judgement.fault, state.outcome(judgement)
        colour = {"missed": "red", "watching": "yellow", "caught": "green"}.get(outcome, "cyan")
        ago = f"{max(state.stream_time - fault.start, 0.0):.0f} s ago"
        table.add_row(fault.kind, fault.key, fault.field, ago, Text(outcome, style=colour))
    return table


def _incident_table(state: RunState) -> Table:
    false = {incident.incident_id for incident in state.evaluation.false_incidents}
    table = Table(title="incidents, newest first", title_justify="left", expand=True)
    for column in ("machine", "top field", "opened", "lasted", ""):
        table.add_column(column)
    for incident in state.incidents[: -NUM_ROWS - 1 : -1]:
        ago = f"{max(state.stream_time - incident.start, 0.0):.0f} s ago"
        lasted = f"{incident.last - incident.start:.1f} s"
        note = Text("false", style="red") if incident.incident_id in false else Text("")
        table.add_row(incident.key, incident.top_field, ago, lasted, note)
    return table
