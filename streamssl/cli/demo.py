"""`streamssl demo`: a live stream with injected faults, learned from and scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from streamssl.demo.duration import parse_duration


def demo(
    duration: Annotated[
        str | None,
        typer.Option(help="Live play, such as 30s or 2m; without it until Ctrl-C."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the figures of the run there, as JSON.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The daemon's configuration [the package's own]."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the stream and its faults.")] = 0,
) -> None:
    """Play machines with injected faults into a Kafka on loopback and watch the daemon."""
    from streamssl.demo.play import play

    try:
        seconds = None if duration is None else parse_duration(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--duration") from error
    code = play(
        console=Console(),
        config_path=config,
        duration_s=seconds,
        report_path=report,
        seed=seed,
    )
    raise typer.Exit(code)
