"""The channels of a state that nobody uses: a stopped instance's, or one to begin from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from streamssl.checkpoint import CheckpointError, lock
from streamssl.checkpoint.store import Checkpoint, checkpoints, load_newest, save
from streamssl.config.agreement import channel_changes, wanted_columns
from streamssl.config.root import Config
from streamssl.data.events import Schema
from streamssl.engine.start import CHECKPOINTS
from streamssl.stream import StreamLearner
from streamssl.transport.journal import MIGRATED


def migrate_state(config: Config) -> list[str]:
    """Let the newest checkpoint have the channels that the configuration asks for.

    The daemon goes on from it, and its next journal record says the new channels and that they
    were changed. Older checkpoints stay as they are.

    Returns:
        What was done, a line each.

    Raises:
        CheckpointError: There is no usable checkpoint, or the daemon runs.
    """
    directory = config.app.state_dir / CHECKPOINTS
    with lock(config.app.state_dir):
        found = _found(config, directory)
        learner = StreamLearner.from_config(config)
        learner.load_state_dict(found.state["learner"])
        before = learner.schema
        if before is None:
            return [f"{found.path} has no channels yet: the first events decide them"]
        after = wanted_columns(config, before)
        if all(set(a) == set(b) for a, b in zip(before, after, strict=True)):
            return [f"{found.path} has these channels already: {', '.join(before.fields)}"]
        learner.migrate(after)
        state = {"learner": learner.state_dict(), "engine": _engine(found, before, after)}
        path = save(directory, state, position=found.position, keep=config.checkpoint.keep)
    told = "every key warms up once more; the next start journals the change"
    return [f"migrated {path}", *_changed(before, after), told]


def migrate_pretrained(config: Config, source: Path, target: Path) -> list[str]:
    """Write a state for `run --init-from` with the channels that the configuration asks for.

    Args:
        config: Of the daemon that shall begin from it.
        source: Folder of the checkpoint of before, which stays as it is.
        target: Folder of the new one; it holds none yet.

    Returns:
        What was done, a line each.

    Raises:
        CheckpointError: There is no usable checkpoint, or one in `target` already.
    """
    if checkpoints(target):
        raise CheckpointError(f"{target} holds a checkpoint already; name another folder")
    found = load_newest(source, on_corruption=config.checkpoint.on_corruption)
    if found is None:
        raise CheckpointError(f"{source} holds no checkpoint; see replay --save")
    learner = StreamLearner.from_config(config)
    learner.load_state_dict(found.state.get("learner", found.state))
    before = learner.schema
    if before is None:
        return [f"{found.path} has no channels yet: the first events decide them"]
    after = wanted_columns(config, before)
    learner.migrate(after)
    return [
        f"migrated {found.path} to {learner.save(target)}",
        *_changed(before, after),
        f"begin from it with `streamssl run --init-from {target}`; every key warms up once more",
    ]


def _changed(before: Schema, after: Schema) -> Iterator[str]:
    for word, names in channel_changes(before, after).items():
        yield f"  {word:5} {', '.join(names) or 'none'}"


def _found(config: Config, directory: Path) -> Checkpoint:
    found = load_newest(directory, on_corruption=config.checkpoint.on_corruption)
    if found is None:
        raise CheckpointError(
            f"{directory} holds no checkpoint; check app.state_dir, or start the daemon once with "
            "the channels of before and stop it: a planned stop saves one"
        )
    if found.state.get("engine") is None:
        raise CheckpointError(f"{found.path} is of a learner alone: it is no daemon's state")
    return found


def _engine(found: Checkpoint, before: Schema, after: Schema) -> dict[str, object]:
    """What the engine goes on with: the next record says the channels."""
    engine = dict(found.state["engine"])
    first = engine.get("migrated_from") or [list(names) for names in before]
    told = f"{MIGRATED}: {', '.join(before.fields)} -> {', '.join(after.fields)}"
    changes = [*engine["changes"], told]
    return engine | {"schema": None, "migrated_from": first, "changes": changes}
