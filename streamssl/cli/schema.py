"""`streamssl schema`: the configuration's JSON Schema and the reference pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from streamssl.cli.reference import PAGES
from streamssl.config import Config


def schema(
    docs: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Write configuration.md, metrics.md and logs.md into this folder instead.",
        ),
    ] = None,
) -> None:
    """Print the configuration's JSON Schema, for editors and checks."""
    if docs is None:
        typer.echo(json.dumps(Config.model_json_schema(), indent=2))
        return
    for name, render in PAGES.items():
        try:
            (docs / name).write_text(render(), encoding="utf-8")
        except OSError as error:
            text = f"{docs / name} cannot be written: {error.strerror}"
            raise typer.BadParameter(text, param_hint="--docs") from error
        typer.echo(f"wrote {docs / name}")
