"""`streamssl run`: the daemon."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from streamssl.cli.options import ConfigOption, SetOption
from streamssl.config import load_config, secret_values
from streamssl.telemetry.logs import setup_logging


def run(
    config: ConfigOption,
    overrides: SetOption = None,
    init_from: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Checkpoint to start from where the state directory holds none (replay --save).",
        ),
    ] = None,
) -> None:
    """Score, learn from and publish a stream until stopped (SIGTERM drains and exits 0)."""
    loaded = load_config(config, overrides or ())
    setup_logging(loaded.telemetry.log_level, secrets=secret_values(loaded))
    # Here, so that a wrong configuration is told before much is loaded. The learner's process is
    # begun first: to load torch takes it longest, and beside it this one loads the rest.
    from streamssl.host import ProcessHost

    learner = ProcessHost(loaded) if loaded.learner.own_process else None
    from streamssl.engine import run_daemon

    leave(run_daemon(loaded, learner, init_from))


def leave(code: int) -> NoReturn:
    """End the process at once: all is committed, saved and closed.

    To take a loaded torch apart takes Python seconds where processors are busy (9 s seen), and an
    orchestrator's patience ends.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
