"""`streamssl checkpoint`: what an operator does to a saved state."""

from __future__ import annotations

import typer

from streamssl.cli.options import ConfigOption, SetOption
from streamssl.config import load_config

checkpoint_app = typer.Typer(help="Change a saved state.", no_args_is_help=True)


@checkpoint_app.callback()
def _group() -> None:
    """Keep the verbs of a saved state apart."""


@checkpoint_app.command()
def migrate(config: ConfigOption, overrides: SetOption = None) -> None:
    """Change the channels of app.state_dir to those that the configuration asks for.

    Stop the daemon first. Keys, their incidents, and of the channels that stay the statistics and
    the last rows are kept; scorers and networks begin anew, and every key warms up once more.
    """
    loaded = load_config(config, overrides or ())
    # Here, so that a wrong configuration is told before torch is loaded.
    from streamssl.engine.migrate import migrate_state

    for line in migrate_state(loaded):
        typer.echo(line)
