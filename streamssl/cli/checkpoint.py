"""`streamssl checkpoint`: what an operator does to a saved state."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from streamssl.cli.options import ConfigOption, SetOption
from streamssl.config import load_config

checkpoint_app = typer.Typer(help="Change a saved state.", no_args_is_help=True)


@checkpoint_app.callback()
def _group() -> None:
    """Keep the verbs of a saved state apart."""


@checkpoint_app.command()
def migrate(
    config: ConfigOption,
    overrides: SetOption = None,
    init_from: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Another state, for run --init-from; with --save."
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(file_okay=False, help="New folder for that state, changed.")
    ] = None,
) -> None:
    """Change the channels of app.state_dir to those that the configuration asks for.

    Stop the daemon first. Keys, their incidents, and of the channels that stay the statistics and
    the last rows are kept; scorers and networks begin anew, and every key warms up once more.
    """
    if (init_from is None) != (save is None):
        raise typer.BadParameter("--init-from and --save belong together")
    loaded = load_config(config, overrides or ())
    # Here, so that a wrong configuration is told before torch is loaded.
    from streamssl.engine.migrate import migrate_pretrained, migrate_state

    told = (
        migrate_pretrained(loaded, init_from, save) if init_from and save else migrate_state(loaded)
    )
    for line in told:
        typer.echo(line)
