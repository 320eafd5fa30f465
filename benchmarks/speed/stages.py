"""The stage table: what the daemon says each stage took, beside that stage's floor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.speed.results import Machine, StageRow
from benchmarks.speed.scrapes import Window
from benchmarks.speed.work import Work
from streamssl.telemetry.stages import STAGES

REST = "(the rest)"
BROKER = {"poll": "consume", "publish": "produce"}


def in_order(reported: Iterable[str]) -> list[str]:
    """The journey's stages in its order, then those that it does not know.

    Example:
        >>> in_order(["warp", "poll"])[-3:]
        ['learn', 'checkpoint', 'warp']
    """
    return [*STAGES, *sorted(set(reported) - set(STAGES))]


def stage_rows(
    window: Window, work: Mapping[str, Work], machine: Machine, broker_s: Mapping[str, float]
) -> list[StageRow]:
    """One row a stage, and the rest of the time.

    Args:
        window: A steady stretch of the daemon's own figures.
        work: What each stage must do at least.
        machine: What this machine can do.
        broker_s: Seconds per event of the bare client alone, by `consume` and `produce`.
    """
    spent = window.stages()
    rows = [_row(name, spent, window, work, machine, broker_s) for name in in_order(spent)]
    known_s = sum(row.seconds_per_event or 0.0 for row in rows)
    rest_s = window.seconds / max(window.events, 1) - known_s
    share = rest_s * window.events / max(window.seconds, 1e-9)
    how = "wall time less all stages; negative where stages overlap"
    return [
        *rows,
        StageRow(stage=REST, seconds_per_event=rest_s, share=share, floor_s=None, how=how),
    ]


def _row(
    name: str,
    spent: Mapping[str, float],
    window: Window,
    work: Mapping[str, Work],
    machine: Machine,
    broker_s: Mapping[str, float],
) -> StageRow:
    floor_s, how = _floor(name, work, machine, broker_s)
    if name not in spent:
        return StageRow(stage=name, seconds_per_event=None, share=None, floor_s=floor_s, how=how)
    return StageRow(
        stage=name,
        seconds_per_event=spent[name] / max(window.events, 1),
        share=spent[name] / max(window.seconds, 1e-9),
        floor_s=floor_s,
        how=how,
    )


def _floor(
    name: str, work: Mapping[str, Work], machine: Machine, broker_s: Mapping[str, float]
) -> tuple[float | None, str]:
    """Seconds per event, and how they were computed."""
    alone = BROKER.get(name)
    if alone is not None and alone in broker_s:
        return broker_s[alone], f"bare client alone: {alone}, same counts and sizes"
    if name not in work:
        return None, ""
    return work[name].floor_s(machine), work[name].how(machine)
