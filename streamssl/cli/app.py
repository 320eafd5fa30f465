"""The command `streamssl`: its verbs, and how errors end it."""

from __future__ import annotations

import logging
import sys
from typing import Annotated, NoReturn

import typer

from streamssl.cli.bench import bench_app
from streamssl.cli.checkpoint import checkpoint_app
from streamssl.cli.demo import demo
from streamssl.cli.replay import replay
from streamssl.cli.run import run
from streamssl.cli.schema import schema
from streamssl.cli.validate import validate
from streamssl.data.events import StreamsslError
from streamssl.telemetry.log_events import tell
from streamssl.version import __version__

log = logging.getLogger(__name__)

app = typer.Typer(
    help="Online, continual, self-supervised learning on Kafka streams: embeddings and "
    "calibrated anomaly scores.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Its markup would swallow text in brackets.
)
app.command()(run)
app.command()(replay)
app.command()(validate)
app.command()(schema)
app.command()(demo)
app.add_typer(checkpoint_app, name="checkpoint")
app.add_typer(bench_app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"streamssl {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """What comes before the verb."""


def main() -> NoReturn:
    """Run a command line and end with its exit code.

    0 ok, 1 runtime failure, 2 usage or configuration, 3 broker, 4 checkpoint, 5 device.
    """
    try:
        app()
    except StreamsslError as error:
        for line in str(error).splitlines():
            typer.echo(f"error: {line}", err=True)
        sys.exit(error.exit_code)
    except Exception:
        tell(log, "defect", with_traceback=True)
        sys.exit(1)
    sys.exit(0)
