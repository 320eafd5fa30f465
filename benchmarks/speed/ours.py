"""Rows of ours on Kafka: the daemon under a configuration, working off a backlog."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.speed.bars import ARROW, JSON, PACKED
from benchmarks.speed.bed import Bed
from benchmarks.speed.counting import Counted, count, delivery, ids_in
from benchmarks.speed.daemon import MeasuredDaemon
from benchmarks.speed.results import Rate
from benchmarks.speed.scrapes import Window, steady_window
from benchmarks.speed.stream import KEY_FIELD
from streamssl.config.settings import Config

TIMEOUT_S = 600.0
PACKED_OUT = ("outputs.scores.format=arrow", "outputs.embeddings.format=arrow")
ARROW_IN = ("input.codec=arrow", f"input.key_field={KEY_FIELD}")


@dataclass(frozen=True, slots=True)
class Ours:
    """A row of ours."""

    id: str
    name: str
    settings: tuple[str, ...] = ()
    codec: str = "json"


OURS = (
    Ours(JSON, "ours: JSON in, default outputs"),
    Ours(PACKED, "ours: JSON in, all outputs packed", PACKED_OUT),
    Ours(ARROW, "ours: Arrow IPC in, all outputs packed", (*PACKED_OUT, *ARROW_IN), "arrow"),
)


@dataclass(frozen=True, slots=True)
class Ran:
    """A daemon that worked off the backlog.

    Attributes:
        rate: By the independent reader.
        window: Of its own figures; None where it had too few events.
        counted: What the reader found in `<app>.scores`.
        config: Its configuration.
    """

    rate: Rate
    window: Window | None
    counted: Counted
    config: Config


def run_ours(bed: Bed, row: Ours) -> Ran:
    """Let the daemon work off the backlog."""
    config = ours_config(bed, row)
    scores = bed.topic(f"{config.app.name}.scores")
    with MeasuredDaemon.from_config(config, bed.folder) as daemon:
        scrapes = daemon.scrape_until(bed.plan.events, TIMEOUT_S)
    messages = bed.read(scores)
    counted = count(messages, lambda message: len(ids_in(message)))
    window = steady_window(scrapes, scrapes[-1].events)
    seen = window or Window(scrapes[0], scrapes[-1])
    rate = counted.rate(row.id, row.name, bed.plan.events)
    rate.trained_per_event = seen.rows_per_closed_row("trained")
    rate.learnt_per_event = seen.rows_per_closed_row("learnt")
    if row.codec == "json":
        tally = delivery(messages, bed.inputs[config.input.topic])
        rate.inexact = "" if tally.exact else str(tally)
    return Ran(rate, window, counted, config)


def ours_config(bed: Bed, row: Ours, *settings: str, topic: str | None = None) -> Config:
    """The configuration of a row, with a state of its own."""
    name = bed.name(row.id)
    return bed.plan.config(
        *row.settings,
        *settings,
        f"app.name={name}",
        f"app.state_dir={bed.folder / name}",
        f"kafka.bootstrap_servers={bed.bootstrap_servers}",
        f"input.topic={topic or bed.input(row.codec)}",
    )
