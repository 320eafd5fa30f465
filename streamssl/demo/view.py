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

# Lines of the screen beside the rows of faults and of incidents.
NUM_OTHER_LINES = 14
FEWEST_ROWS, MOST_ROWS = 2, 8
PAIRS_PER_LINE = 3
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
    """A screen that is redrawn in place; the last one stays.

    Args:
        console: A terminal, of 80 columns and 24 lines or more.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state: RunState | None = None
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._state is not None:
            self._live.update(screen(self._state, self._console.height, ended=True), refresh=True)
        self._live.stop()

    def show(self, state: RunState) -> None:
        """Draw the screen anew in its place."""
        self._state = state
        self._live.update(screen(state, self._console.height), refresh=True)


def screen(state: RunState, height: int = 24, *, ended: bool = False) -> Group:
    """The whole screen as one renderable.

    Args:
        state: What to show.
        height: Lines of the terminal, which it does not exceed from 24 on.
        ended: Whether nothing will change any more.
    """
    title = f"streamssl demo · {'ended' if ended else state.phase} · {state.elapsed_s:.0f} s"
    num_rows = min(max((height - NUM_OTHER_LINES) // 2, FEWEST_ROWS), MOST_ROWS)
    end = [] if ended else [Text("Ctrl-C stops, drains and reports", style="dim")]
    return Group(
        Panel(_figures(state), title=title, title_align="left"),
        _fault_table(state, num_rows),
        _incident_table(state, num_rows),
        *end,
    )


def _figures(state: RunState) -> Table:
    """Names and values, several on a line."""
    pairs = list(_pairs(state))
    table = Table.grid(padding=(0, 1))
    for _ in range(PAIRS_PER_LINE):
        table.add_column(no_wrap=True, style="dim")
        table.add_column(no_wrap=True)
    for first in range(0, len(pairs), PAIRS_PER_LINE):
        table.add_row(*(cell for pair in pairs[first : first + PAIRS_PER_LINE] for cell in pair))
    return table


def _table(title: str, *columns: str) -> Table:
    """A table whose every row is one line."""
    table = Table(title=title, title_justify="left", expand=True, box=None, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True, header_style="dim")
    return table


def _fault_table(state: RunState, num_rows: int) -> Table:
    table = _table(_score_line(state), "fault", "machine", "field", "ago", "outcome")
    for judgement in state.evaluation.judgements[-num_rows:]:
        fault, outcome = judgement.fault, state.outcome(judgement)
        colour = {"missed": "red", "watching": "yellow", "caught": "green"}.get(outcome, "cyan")
        ago = f"{max(state.stream_time - fault.start, 0.0):.0f} s"
        told = Text(outcome.removeprefix("caught, "), style=colour)
        table.add_row(fault.kind, fault.key, fault.field, ago, told)
    return table


def _incident_table(state: RunState, num_rows: int) -> Table:
    false = {incident.incident_id for incident in state.evaluation.false_incidents}
    table = _table("incidents, newest first", "machine", "top field", "opened", "lasted", "")
    for incident in state.incidents[: -num_rows - 1 : -1]:
        ago = f"{max(state.stream_time - incident.start, 0.0):.0f} s ago"
        lasted = f"{incident.last - incident.start:.1f} s"
        note = Text("false", style="red") if incident.incident_id in false else Text("")
        table.add_row(incident.key, incident.top_field, ago, lasted, note)
    return table
