"""`streamssl replay`: the daemon's engine over a file, as a backtest."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from streamssl.arithmetic.allocator import keep_freed_memory
from streamssl.cli.options import SetOption
from streamssl.cli.replay_view import Counts, progress, summary_lines
from streamssl.config import Config, load_config, secret_values
from streamssl.config.budget import parse_budget
from streamssl.telemetry.logs import setup_logging

CSV: Mapping[str, Any] = {"rich_help_panel": "How CSV is written (found out where not said)"}


def replay(
    output: Annotated[
        Path,
        typer.Option(
            help="Scores, one row per input row: .csv, .parquet or .jsonl; with --journal the "
            "published records: .parquet or .jsonl.",
            show_default=False,
        ),
    ],
    input: Annotated[  # noqa: A002 - the option's name
        Path | None,
        typer.Option(help="Events, one per row: .csv, .parquet or .jsonl.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The configuration; without it the defaults."),
    ] = None,
    time_column: Annotated[
        str | None,
        typer.Option(help="Event time [input.time_field]; without it the row number."),
    ] = None,
    key_column: Annotated[str | None, typer.Option(help="Key [input.key_field].")] = None,
    ignore_columns: Annotated[
        str | None,
        typer.Option(help="Columns that are not read as numbers, such as 'a,b,eval_*'."),
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option(help="Embeddings, one per input row: .parquet.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of CSV: such as utf-8 or cp1252.", **CSV)
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between cells of CSV.", **CSV)] = None,
    decimal: Annotated[
        str | None, typer.Option(help="Before the decimals of numbers: '.' or ','.", **CSV)
    ] = None,
    thousands: Annotated[
        str | None, typer.Option(help="Between groups of three digits.", **CSV)
    ] = None,
    na_values: Annotated[
        str | None,
        typer.Option(help="More words for a missing value, such as 'x,-999'.", **CSV),
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first line has names.", **CSV),
    ] = None,
    date_format: Annotated[
        str | None, typer.Option(help="Of times, such as '%d.%m.%Y %H:%M:%S'.", **CSV)
    ] = None,
    overrides: SetOption = None,
    save: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Checkpoint that `run --init-from` starts from."),
    ] = None,
    journal: Annotated[
        bool,
        typer.Option(
            "--journal",
            help="Reproduce what a daemon published, from its journal and input on Kafka.",
        ),
    ] = False,
) -> None:
    """Score a file from its first row to its last, learning on the way, as the daemon would."""
    csv = {
        "encoding": encoding,
        "delimiter": "\t" if delimiter in ("\\t", "tab") else delimiter,
        "decimal": decimal,
        "thousands": thousands,
        "na_values": None if na_values is None else _listed(na_values),
        "header": header,
        "date_format": date_format,
    }
    if journal:
        _refuse_with_journal(
            {
                "--input": input,
                "--time-column": time_column,
                "--key-column": key_column,
                "--ignore-columns": ignore_columns,
                "--embeddings": embeddings,
                "--save": save,
                **{f"--{name.replace('_', '-')}": value for name, value in csv.items()},
            }
        )
    elif input is None:
        raise typer.BadParameter("give a file, or --journal", param_hint="--input")
    _check_save(save)
    columns = _column_overrides(time_column, key_column, ignore_columns)
    loaded = load_config(config, [*(overrides or ()), *columns])
    setup_logging("WARNING", secrets=secret_values(loaded))
    if input is None:
        # Here and below, so that a wrong configuration is told before torch is loaded.
        from streamssl.engine.reproduce import reproduce_journal

        with _terminated():
            code = reproduce_journal(loaded, output)
        raise typer.Exit(code)
    _replay_file(loaded, input, output, embeddings, save, csv)


def _replay_file(
    config: Config,
    source: Path,
    output: Path,
    embeddings: Path | None,
    save: Path | None,
    csv: Mapping[str, Any],
) -> None:
    began_s = time.monotonic()
    from streamssl.engine.backtest import Backtest, open_files
    from streamssl.stream.statistics_thread import take_short_turns
    from streamssl.transport.files import CsvOptions

    keep_freed_memory()
    take_short_turns()
    if embeddings and not config.learner.enabled:
        raise typer.BadParameter("needs learner.enabled: true", param_hint="--embeddings")
    transport = open_files(config, source, output, embeddings, CsvOptions(**csv))
    with (
        _terminated() as check,
        progress(Console(stderr=True), lambda: transport.fraction) as show,
    ):

        def turned(counts: Counts) -> None:
            check()
            show(counts)

        backtest = Backtest(config, transport, on_progress=turned)
        start_up_s = time.monotonic() - began_s
        done = backtest.run(save=save)
    if not done.events + done.dead_letters:
        typer.echo(f"warning: {source} holds no rows: nothing was scored", err=True)
    for note in transport.notes:
        typer.echo(f"read as       {note}")
    for warning in transport.warnings:
        typer.echo(f"warning       {warning}")
    written = [*transport.outputs, *([save] if save else [])]
    budget = parse_budget(config.alerts.budget)
    for line in summary_lines(done, budget, backtest.hints, start_up_s, written):
        typer.echo(line)


@contextmanager
def _terminated() -> Iterator[Callable[[], None]]:
    """SIGTERM is an exception instead of sudden death, so that no half-written file stays.

    It gives a function that raises the exception once more: where a signal happens to meet a
    library that tries to import something, the library takes it for a failed import.
    """
    from streamssl.engine.signals import RepeatFilter  # the engine is loaded by now

    is_repeat, told = RepeatFilter(), False

    def end() -> NoReturn:
        sys.exit(128 + signal.SIGTERM)

    def handle(*_: object) -> None:
        nonlocal told
        if not is_repeat():
            told = True
            end()

    def check() -> None:
        if told:
            end()

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield check
    finally:
        if not told:  # Or else the process is about to end, and a repeat would kill it before.
            signal.signal(signal.SIGTERM, before)


def _refuse_with_journal(given: Mapping[str, object]) -> None:
    """What says how to read or write files means nothing to a replay of the journal."""
    for option, value in given.items():
        if value is not None:
            raise typer.BadParameter(
                "does not go with --journal, which reads the daemon's own input and writes "
                "--output only: leave it out",
                param_hint=option,
            )


def _check_save(save: Path | None) -> None:
    """Refuse a folder that cannot be made before hours of work, not after."""
    if save is None:
        return
    folder = next(path for path in (save.absolute(), *save.absolute().parents) if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise typer.BadParameter(f"{folder} is no folder to write in", param_hint="--save")


def _column_overrides(time: str | None, key: str | None, ignored: str | None) -> list[str]:
    overrides = []
    if time is not None:
        overrides.append(f"input.time_field={time}")
    if key is not None:
        overrides.append(f"input.key_field={key}")
    if ignored is not None:
        overrides.append(f"input.ignore_fields={json.dumps(_listed(ignored))}")
    return overrides


def _listed(option: str) -> tuple[str, ...]:
    """The parts of an option with commas between them."""
    return tuple(part.strip() for part in option.split(",") if part.strip())
