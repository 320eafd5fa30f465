"""The page: put together from the parts that were measured, and notes written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.speed.bars import judge
from benchmarks.speed.latency import CHECKPOINT_EVERY_S
from benchmarks.speed.plan import CORE, PARTS, SETTINGS
from benchmarks.speed.results import Keys, Latency, Rates, StageTimes
from benchmarks.speed.store import Origin
from benchmarks.speed.tables import (
    bars_table,
    kafka_table,
    keys_table,
    latency_table,
    machine_line,
    memory_table,
    origins_table,
    stages_table,
)

# Sections written by hand: measured once, by other means than the command.
_NOTES = Path(__file__).with_name("notes")
_INTRODUCTION = f"""\
Everything here comes from one command on one machine, broker, daemon, peers and readers together
on its cores; compare figures within the page only. All figures lie in `performance/` beside it.
Events are generated from a seed: a level for every key, noise, one event in 2,000 far off. Settings
of ours in every row:
`{" ".join(SETTINGS)}`; all others are the defaults."""
_STAGES = """\
The daemon's own `streamssl_stage_duration_seconds`, sums over a steady window (30 % to 97 % of the
backlog) by events. A floor is what the stage must take at least: the bare client alone where it is
the broker's work, else operations (products of matrices, counted from the configuration) over the
matrix rate or bytes (each column read and written once) over the bandwidth, whichever takes longer.
It leaves out additions, exponentials and everything that a batch costs once."""
_KAFKA = """\
16 floats an event as JSON, 1,000 keys, 4 partitions, a backlog; exactly once. Counted afterwards by
an independent `read_committed` reader over the broker's append times, from the event at 30 % to the
one at 97 %. The floors do nothing but consume and produce messages of the same number, size and
headers as the daemon's, in transactions of as many events as `delivery.max_events`. Quix Streams
has its defaults (a commit every 5 s; ours commits within 50 ms), scores only, and has one model
for all keys. HalfSpaceTrees asks for values between 0 and 1: behind MinMaxScaler it gets them;
alone, which is printed for comparison only, most values fall off the same side. Trained: samples of
optimiser steps; learnt: rows that the statistics took in; both by events of the epochs that ended
in the window."""
_MEMORY = f"""\
Decoded events in memory, scored and then learnt, in steady state; one thread, ours on two (networks
beside statistics). *Statistical core alone* is `{" ".join(CORE)}`. `replay` goes from a Parquet
file to another, its own summary's rate, start of the process not included. The last figure is the
float32 matrix rate over the operations of an event: what the arithmetic alone would allow."""
_LATENCY = f"""\
From the broker's append of the event to the moment at which a `read_committed` reader has its
result, at half of our JSON rate; a fresh daemon, so the first training burst is inside, and
`checkpoint.every_s={CHECKPOINT_EVERY_S}`, so that several checkpoints are. The last rows: at a
quarter and an eighth of the rate, for as long."""
_KEYS = """\
In memory, uniformly random keys, timed once every key is known. Stated: `bytes_per_key`; measured:
what the process grew by (columns grow by doubling)."""


def render(command: str, parts: Mapping[str, Any], origins: Mapping[str, Origin]) -> str:
    """The page in Markdown.

    Args:
        command: The command line that gives it again.
        parts: What was measured, by the name of the part.
        origins: How each part came about.
    """
    texts = ["# Performance", f"`{command}`", _INTRODUCTION, *_provenance(origins)]
    texts += ["## Bars", bars_table(judge(parts))]
    for name in PARTS:
        title, section = _SECTIONS[name]
        texts.append(f"## {title}")
        texts += section(parts[name]) if name in parts else [_missing(name)]
    texts += [path.read_text("utf-8").rstrip() for path in sorted(_NOTES.glob("*.md"))]
    return "\n\n".join(texts) + "\n"


def complete(origins: Mapping[str, Origin]) -> bool:
    """Whether all parts are there, of one build and one size."""
    kinds = {(origin.build, origin.versions, origin.events) for origin in origins.values()}
    return set(origins) == set(PARTS) and len(kinds) == 1


def _provenance(origins: Mapping[str, Origin]) -> Iterator[str]:
    if origins:
        yield f"{next(iter(origins.values())).versions}."
        yield origins_table(origins)
    if not complete(origins):
        yield "**Not one complete run: parts are missing, or of different builds or sizes.**"


def _missing(name: str) -> str:
    return f"Not measured: `streamssl bench speed --parts {name}`."


def _stages(part: StageTimes) -> list[str]:
    rate = f"{part.events_per_s:,.0f} events/s while the stages were read."
    return [_STAGES, machine_line(part.machine), rate, stages_table(part)]


def _kafka(part: Rates) -> list[str]:
    return [_KAFKA, kafka_table(part), *_left_out(part)]


def _memory(part: Rates) -> list[str]:
    return [_MEMORY, memory_table(part), *_left_out(part)]


def _latency(part: Latency) -> list[str]:
    told = (
        f"{part.offered_per_s:,.0f} events/s offered for {part.seconds:.0f} s, half of "
        f"{part.of_per_s:,.0f}; {part.counted:,} results of {part.expected:,} events read; "
        f"{part.checkpoints} checkpoints, {part.steps} optimiser steps."
    )
    return [_LATENCY, told, latency_table(part)]


def _keys(part: Keys) -> list[str]:
    cost = part.checkpoint
    told = (
        f"A checkpoint of {cost.keys:,} keys: {cost.num_bytes / 1e6:,.0f} MB, "
        f"{cost.save_s:.2f} s to save; copying its state takes {cost.copy_s:.2f} s."
    )
    return [_KEYS, keys_table(part), told]


def _left_out(part: Rates) -> list[str]:
    return [f"*Left out:* {note}" for note in part.left_out]


_SECTIONS: dict[str, tuple[str, Callable[[Any], list[str]]]] = {
    "stages": ("Stages", _stages),
    "kafka": ("Kafka to Kafka", _kafka),
    "memory": ("In memory, and `replay`", _memory),
    "latency": ("Latency", _latency),
    "keys": ("Many keys", _keys),
}
