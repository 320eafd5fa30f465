"""What a replay shows: progress on a terminal, plain lines elsewhere, a summary at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0


class Counts(Protocol):
    """What a run did so far."""

    events: int
    dead_letters: int
    bad_fields: int
    epochs: int
    samples_trained: int
    anomalies: int
    incidents: int
    seconds: float
    channels: list[str]
    num_channels: int
    left_out: dict[str, str]
    new_fields: dict[str, int]
    vanished: list[str]
    warnings: dict[str, str]


@contextmanager
def progress(
    console: Console, fraction: Callable[[], float], *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Counts], None]]:
    """Show progress while the body runs; it calls what it is given after every step.

    Args:
        console: Where it is shown.
        fraction: Share of the input that was read.
        clock: Seconds that only grow.
    """
    if not console.is_terminal:
        yield _lines(console, fraction, clock)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def show(counts: Counts) -> None:
            bar.update(task, completed=fraction(), description=_line(counts))

        yield show


def _lines(
    console: Console, fraction: Callable[[], float], clock: Callable[[], float]
) -> Callable[[Counts], None]:
    last_s = clock()

    def show(counts: Counts) -> None:
        nonlocal last_s
        if clock() - last_s >= LINE_EVERY_S:
            last_s = clock()
            console.print(f"{fraction():.0%} {_line(counts)}")

    return show


def _line(counts: Counts) -> str:
    return f"{counts.events:,} events, {_rate(counts):,.0f}/s, {counts.incidents:,} incidents"


def _rate(counts: Counts) -> float:
    return counts.events / max(counts.seconds, 1e-9)


def summary_lines(counts: Counts, start_up_s: float, written: list[Path]) -> list[str]:
    """What was done and written, one fact a line.

    Args:
        counts: What was done; `seconds` from the first row taken to the last output.
        start_up_s: Before that: loading libraries, deciding columns, building networks.
        written: Files and folders.
    """
    speed = f"{_rate(counts):,.0f} events/s (start-up {start_up_s:.1f} s)"
    return [
        f"events        {counts.events:,} in {counts.seconds:.1f} s, {speed}",
        f"learned       {_learned(counts)}",
        f"anomalies     {counts.anomalies:,} in {counts.incidents:,} incidents",
        f"dead letters  {counts.dead_letters:,}",
        *([f"bad fields    {counts.bad_fields:,}, missing"] if counts.bad_fields else []),
        *_columns(counts),
        *(f"written       {path}" for path in written),
    ]


def _columns(counts: Counts) -> Iterator[str]:
    """Which columns were read, and what is to be known of the others and of the keys."""
    more = ", ..." if counts.num_channels > len(counts.channels) else ""
    yield f"channels      {counts.num_channels:,}: {', '.join(counts.channels)}{more}"
    for name, hint in counts.left_out.items():
        yield f"left out      {name}: {hint}"
    for name, num in counts.new_fields.items():
        yield (
            f"left out      {name}: came after the first events ({num:,} values); name it in "
            "modality.fields to have it"
        )
    for name in counts.vanished:
        yield f"vanished      {name}: has no values any more"
    for text in counts.warnings.values():
        yield f"warning       {text}"


def _learned(counts: Counts) -> str:
    samples, epochs = counts.samples_trained, counts.epochs
    share = f", one per {counts.events / samples:.1f} events" if samples else ""
    return f"{samples:,} samples in {epochs:,} epochs{share}"
