"""Whether the columns that a configuration asks for are those that a state was learnt from."""

from __future__ import annotations

from pathlib import Path

from streamssl.config.root import Config
from streamssl.data.channels import is_ignored
from streamssl.data.events import Schema
from streamssl.data.listing import listed


def disagreement(
    config: Config, learnt: Schema, where: str, folder: Path | None = None
) -> str | None:
    """What is wrong and what to do, None where they agree; the order of names does not matter.

    Args:
        config: Names the columns, or leaves them to the first events and says what is none.
        learnt: The columns of a state.
        where: What the state is called, such as `the state in DIR`.
        folder: Where the state is, unless that is the configured state folder.
    """
    wanted = wanted_columns(config, learnt)
    if all(set(a) == set(b) for a, b in zip(wanted, learnt, strict=True)):
        return None
    verb = "checkpoint migrate" + (f" --init-from {folder} --save NEW_FOLDER" if folder else "")
    return (
        f"{where} was learnt from the channels {_named(learnt)}, but the configuration "
        f"(modality and input) asks for {_named(wanted)}; go back to the first, or change "
        f"the state's channels with `streamssl {verb}`, which keeps what still fits"
        + (", and begin from NEW_FOLDER" if folder else "")
    )


def wanted_columns(config: Config, learnt: Schema) -> Schema:
    """The configured columns; with `auto` the learnt ones but for those that are none any more."""
    columns, special = config.modality.columns(), set(config.input.special_fields().values())
    found = tuple(
        name
        for name in learnt.fields
        if name not in special and not is_ignored(name, config.input.ignore_fields)
    )
    return columns.schema(found)


def channel_changes(before: Schema, after: Schema) -> dict[str, list[str]]:
    """The columns that a change keeps, those that are new with it, and those that are gone."""
    return {
        "kept": [name for name in after.names if name in before.names],
        "new": [name for name in after.names if name not in before.names],
        "gone": [name for name in before.names if name not in after.names],
    }


def _named(schema: Schema) -> str:
    return listed(schema.names) or "none"
