"""`streamssl bench`: the measured claims, reproduced from a checkout of the repository."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.console import Console
from rich.progress import Progress

from streamssl.cli.options import SetOption
from streamssl.data.events import StreamsslError

_HELP = "Reproduce the measured claims; runs from a checkout of the repository."
SENSOR_SETS = "skab,smd,nab,asd"
STREAMS = "smd,asd,plant,plant-other-kinds"
bench_app = typer.Typer(help=_HELP, no_args_is_help=True)


class NoBenchmarksError(StreamsslError):
    """The benchmarks are part of the repository, not of the installed package."""

    exit_code = 2


class SuiteReport(Protocol):
    """What a suite gives: a part of the page."""

    def write(self, path: Path) -> None:
        """Write it, and its figures in JSON beside the page."""


class Suite(StrEnum):
    """What to run on."""

    SENSOR = "sensor"
    SYNTHETIC = "synthetic"
    EMBEDDINGS = "embeddings"


@bench_app.command()
def quality(
    suite: Annotated[
        Suite,
        typer.Option(
            help="Scores on public sensor sets, or on a generated suite of a minute; embeddings."
        ),
    ] = Suite.SENSOR,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the data sets [STREAMSSL_BENCH_DATA].")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of every detector.")] = 3,
    sets: Annotated[
        str | None,
        typer.Option(
            help=f"Sets, comma separated [sensor: {SENSOR_SETS}; embeddings: {STREAMS}].",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/quality.md"),
    jobs: Annotated[int, typer.Option(min=1, help="Processes of one thread each.")] = 2,
    peers: Annotated[bool, typer.Option(help="Run the peers beside ours.")] = True,
    overrides: SetOption = None,
) -> None:
    """Quality of scores, or of embeddings: ours and its peers, in one run on the same rows."""
    with _checkout():
        from benchmarks.quality.embeddings.run import EmbeddingsRun
        from benchmarks.quality.metrics import require_sklearn
        from benchmarks.quality.run import QualityRun, suite_series

    require_sklearn()
    names = sets or (STREAMS if suite is Suite.EMBEDDINGS else SENSOR_SETS)
    settings = tuple(overrides or ())
    command = _command(suite, seeds, names, jobs, peers, overrides or [])
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("quality", total=None)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        report: SuiteReport
        if suite is Suite.EMBEDDINGS:
            probes = EmbeddingsRun(settings, seeds, jobs, peers)
            report = probes.run(names.split(","), data, command, told)
        else:
            series = suite_series(suite, names.split(","), data)
            report = QualityRun(settings, seeds, jobs, peers).run(series, command, told)
    report.write(output)
    typer.echo(f"wrote {output}")


@bench_app.command()
def speed(
    parts: Annotated[
        str,
        typer.Option(help="Parts to measure, comma separated; '' only writes the page again."),
    ] = "stages,kafka,memory,latency,keys",
    events: Annotated[int, typer.Option(min=1_000, help="Events of each row on Kafka.")] = 120_000,
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/performance.md"),
    work: Annotated[
        Path, typer.Option(help="Folder that keeps the parts between commands.")
    ] = Path("build/speed"),
    seed: Annotated[int, typer.Option(help="Seed of the events.")] = 0,
    overrides: SetOption = None,
) -> None:
    """Speed of every stage and of the whole, beside its floors and its peers."""
    with _checkout():
        from benchmarks.speed.plan import SpeedPlan
        from benchmarks.speed.run import SpeedRun, parse_parts
        from benchmarks.speed.store import Store

    names = parse_parts(parts)
    plan = SpeedPlan(events=events, seed=seed, overrides=tuple(overrides or ()))
    plan.config()  # a wrong setting is told before anything is measured
    words = ["streamssl", "bench", "speed", "--events", str(events), "--seed", str(seed)]
    words += [word for override in overrides or () for word in ("--set", override)]
    console = Console(stderr=True)
    run = SpeedRun(plan, Store(work), shlex.join(words), lambda what: console.print(what))
    with _terminable():
        page = run.run(names)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")
    run.store.copy_to(output.with_suffix(""))
    typer.echo(page)
    typer.echo(f"wrote {output}")


@contextmanager
def _checkout() -> Iterator[None]:
    """Say what to do where `benchmarks` cannot be imported, as beside an installed wheel."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "benchmarks":
            raise
        raise NoBenchmarksError(
            "the benchmarks run from a checkout of the repository; they are no part of the "
            "installed package. Clone it, `make setup` there, and run "
            "`.venv/bin/streamssl bench` in its folder."
        ) from error


@contextmanager
def _terminable() -> Iterator[None]:
    """End on SIGTERM as on any error: broker and daemons are processes that would live on."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _command(
    suite: Suite, seeds: int, sets: str, jobs: int, peers: bool, overrides: list[str]
) -> str:
    """The command line that gives this report again, without this machine's paths."""
    words = ["streamssl", "bench", "quality", "--suite", suite.value]
    words += ["--sets", sets] if suite is not Suite.SYNTHETIC else []
    words += ["--seeds", str(seeds), "--jobs", str(jobs)]
    words += [] if peers else ["--no-peers"]
    for override in overrides:
        words += ["--set", override]
    return shlex.join(words)
