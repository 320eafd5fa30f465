"""What a replay shows: progress on a terminal, plain lines elsewhere, a summary at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from streamssl.config.budget import Budget

LINE_EVERY_S = 10.0
DAY_S = 86_400.0


class Counts(Protocol):
    """What a run did so far."""

    events: int
    dead_letters: int
    bad_fields: int
    epochs: int
    samples_trained: int
    anomalies: int
    incidents: int
    drifts: dict[str, int]
    last_drift: dict[str, Any] | None
    warming: int
    keys: int
    keys_warming: int
    first_time: float | None
    last_time: float | None
    seconds: float
    channels: list[str]
    num_channels: int
    left_out: dict[str, str]
    new_fields: dict[str, int]
    absent: dict[str, str]
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


def summary_lines(
    counts: Counts, budget: Budget, hints: Sequence[str], start_up_s: float, written: list[Path]
) -> list[str]:
    """What was done and written, one fact a line.

    Args:
        counts: What was done; `seconds` from the first row taken to the last output.
        budget: The alerts that are wanted at most.
        hints: Options that seem to fit the file.
        start_up_s: Before that: loading libraries, deciding columns, building networks.
        written: Files and folders.
    """
    speed = f"{_rate(counts):,.0f} events/s (start-up {start_up_s:.1f} s)"
    return [
        f"events        {counts.events:,} in {counts.seconds:.1f} s, {speed}",
        f"keys          {counts.keys:,}, {counts.keys_warming:,} still warming",
        f"warming       {_share(counts.warming, counts.events)} of the rows: no alert on them",
        f"learned       {_learned(counts)}",
        f"anomalies     {counts.anomalies:,} in {counts.incidents:,} incidents",
        f"alert rate    {_alert_rate(counts, budget)}",
        *_drifts(counts),
        f"dead letters  {counts.dead_letters:,}",
        *([f"bad fields    {counts.bad_fields:,}, missing"] if counts.bad_fields else []),
        *_columns(counts),
        *(f"hint          {hint}" for hint in hints),
        *(f"written       {path}" for path in written),
    ]


def _drifts(counts: Counts) -> Iterator[str]:
    """How often something drifted, and the newest drift."""
    if counts.last_drift is not None:
        numbers = ", ".join(f"{what} {num:,}" for what, num in sorted(counts.drifts.items()))
        last = "{what} {before:.3g} -> {after:.3g} since {since:.0f}".format(**counts.last_drift)
        yield f"drifts        {numbers}; the newest: {last}"


def _alert_rate(counts: Counts, budget: Budget) -> str:
    ready = counts.events - counts.warming
    rows = f"{_share(counts.anomalies, ready)} of the rows that were not warming"
    if budget.share is not None:
        wanted = f"budget {100.0 * budget.share:.3g} %"
        return f"{_share(counts.incidents, ready)} incidents ({wanted}), anomalies {rows}"
    days = ((counts.last_time or 0.0) - (counts.first_time or 0.0)) / DAY_S
    per_day = f"{counts.incidents / days:,.1f}" if days else "-"
    return f"{per_day} incidents a day of event time (budget {budget}), anomalies {rows}"


def _share(part: int, whole: int) -> str:
    return f"{100.0 * part / whole:.3g} %" if whole else "none"


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
    for name, hint in counts.absent.items():
        yield f"absent        {name}: no row has a value of it; {hint}"
    for name in counts.vanished:
        yield f"vanished      {name}: has no values any more"
    for text in counts.warnings.values():
        yield f"warning       {text}"


def _learned(counts: Counts) -> str:
    samples, epochs = counts.samples_trained, counts.epochs
    share = f", one per {counts.events / samples:.1f} events" if samples else ""
    return f"{samples:,} samples in {epochs:,} epochs{share}"
