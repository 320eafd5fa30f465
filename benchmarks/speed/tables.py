"""The tables of the page, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.speed.bars import (
    FLOOR,
    JSON,
    QUIX,
    REPLAY,
    REPLAY_CORE,
    Verdict,
)
from benchmarks.speed.machine import FEATURES
from benchmarks.speed.results import (
    Keys,
    Latency,
    Machine,
    Rate,
    Rates,
    StageTimes,
)
from benchmarks.speed.store import Origin
from streamssl.learner.tiles import TILE

NONE = "-"
_WORDS = {True: "pass", False: "**fail**", None: "not measured"}


def bars_table(verdicts: Iterable[Verdict]) -> str:
    """Every bar, what was measured, and whether that is enough."""
    rows = [[v.bar, v.measured or NONE, _WORDS[v.passed]] for v in verdicts]
    return table(["bar", "measured", ""], rows)


def stages_table(stages: StageTimes) -> str:
    """Every stage beside its floor."""
    rows = []
    for row in stages.rows:
        spent, floor = row.seconds_per_event, row.floor_s
        times = f"{spent / floor:,.1f}" if spent and floor else NONE
        share = NONE if row.share is None else f"{row.share:.1%}"
        rows.append([row.stage, micro(spent), share, micro(floor), times, row.how])
    headings = ["stage", "µs an event", "of the time", "floor, µs", "times the floor", "floor is"]
    return table(headings, rows)


def machine_line(machine: Machine) -> str:
    """What the floors were computed with."""
    return (
        f"{machine.cores} cores. One thread copies {machine.bytes_per_s / 1e9:.1f} GB/s (read and "
        f"written) and does {machine.operations_per_s / 1e9:.1f} G operations/s in float32 "
        f"products (torch, tiles of {TILE} x {FEATURES} x {FEATURES})."
    )


def kafka_table(part: Rates) -> str:
    """Rates from topic to topic, each as a ratio to what the bars name."""
    rates = {row.id: row for row in part.rows}
    rows = []
    for row in part.rows:
        ratios = [_ratio(row, rates.get(to)) for to in (FLOOR, QUIX, JSON)]
        rows.append([row.name, f"{row.per_s:,.0f}", *ratios, _learning(row), _counted(row)])
    headings = ["", "events/s", "of the floor", "x Quix + HST", "x our JSON"]
    return table([*headings, "trained / learnt an event", "counted"], rows)


def memory_table(part: Rates) -> str:
    """Rates in memory, with the operations that ours needs."""
    rates = {row.id: row for row in part.rows}
    rows = []
    for row in part.rows:
        channels = "38" if row.id in (REPLAY, REPLAY_CORE) else row.id.rpartition("-")[2]
        name = {REPLAY: "default-38", REPLAY_CORE: "core-38"}.get(row.id, row.id)
        operations = part.operations.get(name)
        ratio = _ratio(row, rates.get(f"hst-{channels}"))
        limit = part.operations_per_s / operations if operations and part.operations_per_s else None
        rows.append(
            [
                row.name,
                "38, 1" if channels == "38" else f"{channels}, 1,000",
                f"{row.per_s:,.0f}",
                ratio,
                f"{operations / 1e3:,.0f} k" if operations else NONE,
                f"{limit:,.0f}" if limit else NONE,
                row.note,
            ]
        )
    headings = ["", "channels, keys", "events/s", "x HST", "operations an event"]
    return table([*headings, "matrix rate allows", ""], rows)


def latency_table(latency: Latency) -> str:
    """Latencies of all events, and of those that something slow may have touched."""
    rows = [
        [q.name, f"{q.events:,}", *(f"{v:,.0f}" for v in (q.p50_ms, q.p99_ms, q.max_ms))]
        if q.events
        else [q.name, "0", NONE, NONE, NONE]
        for q in [*latency.quantiles, *latency.lighter]
    ]
    return table(["", "events", "p50, ms", "p99, ms", "max, ms"], rows)


def keys_table(keys: Keys) -> str:
    """Cost and memory by number of keys."""
    rows = [
        [
            f"{row.keys:,}",
            micro(row.seconds_per_event),
            f"{row.stated_bytes:,}",
            NONE if row.measured_bytes is None else f"{row.measured_bytes:,.0f}",
        ]
        for row in keys.rows
    ]
    return table(["keys", "µs an event", "bytes a key, stated", "bytes a key, measured"], rows)


def origins_table(origins: Mapping[str, Origin]) -> str:
    """When and how each part was measured."""
    rows = [
        [name, o.at, f"{o.seconds:,.0f} s", f"{o.events:,}", o.build, f"{o.load_before:.1f}"]
        for name, o in origins.items()
    ]
    return table(["part", "ended", "took", "events", "build", "load before"], rows)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    Example:
        >>> print(table(["a", "b"], [["1", "2"]]))
        | a | b |
        | --- | --- |
        | 1 | 2 |
    """
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def micro(seconds: float | None) -> str:
    """Seconds as microseconds, three digits.

    Example:
        >>> micro(12.3456e-6), micro(None)
        ('12.3', '-')
    """
    return NONE if seconds is None else f"{1e6 * seconds:,.3g}"


def _ratio(row: Rate, to: Rate | None) -> str:
    return NONE if to is None or row is to else f"{row.per_s / max(to.per_s, 1e-9):.2f}"


def _learning(row: Rate) -> str:
    if row.trained_per_event is None or row.learnt_per_event is None:
        return NONE
    return f"{row.trained_per_event:.3f} / {row.learnt_per_event:.3f}"


def _counted(row: Rate) -> str:
    if row.complete:
        return f"{row.counted:,}"
    return f"**{row.inexact or f'{row.counted:,} of {row.expected:,}'}**"
