"""Checkpoints in a folder: written whole or not at all, and read only if intact."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError

from streamssl.checkpoint.errors import CheckpointError, CorruptCheckpointError
from streamssl.checkpoint.files import fsync, read_folder, write_folder
from streamssl.checkpoint.snapshot import Snapshot, restore, snapshot
from streamssl.telemetry.log_events import tell

_NAME = re.compile(r"checkpoint-(\d{12})")
_TEMPORARY = ".new-"
_REPLACED = ".old-"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint.

    Attributes:
        state: As it was saved, dtypes and shapes included.
        position: What the state is the state after; holds at least `epoch`.
    """

    state: dict[str, Any]
    position: dict[str, Any]
    path: Path

    @property
    def epoch(self) -> int:
        """Epoch that the checkpoint is named after."""
        return int(self.position["epoch"])


def save(
    directory: Path, state: Mapping[str, Any], *, position: Mapping[str, Any], keep: int
) -> Path:
    """Write a checkpoint now; afterwards it is the newest of its folder.

    See `snapshot` for what state may hold and `write` for the rest.
    """
    return write(directory, snapshot(state, copy=False), position=position, keep=keep)


def write(directory: Path, state: Snapshot, *, position: Mapping[str, Any], keep: int) -> Path:
    """Write a snapshot as the newest checkpoint: after a crash it is there whole or not at all.

    Args:
        directory: Folder of the checkpoints; made if absent.
        state: As `snapshot` encoded it.
        position: As state, but without arrays; `epoch` (>= 0) names the checkpoint.
            Checkpoints of later epochs are of a history that was given up (corrupt, or
            replaced) and are removed.
        keep: Checkpoints kept, this one included.

    Raises:
        CheckpointError: The disk is full or the folder cannot be written.
    """
    target = directory / f"checkpoint-{int(position['epoch']):012d}"
    temporary = directory / f"{_TEMPORARY}{target.name}"
    try:
        # 1. Leave nothing of an interrupted save in the way.
        directory.mkdir(parents=True, exist_ok=True)
        _settle(directory)
        # 2. Write and sync everything under another name.
        write_folder(temporary, state, position)
        # 3. Make it appear at once.
        _replace(temporary, target)
        # 4. Only now drop what it supersedes.
        _prune(directory, target, keep)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise CheckpointError(
            f"cannot write checkpoint {target}: {error}; mend app.state_dir or --save"
        ) from error
    return target


def checkpoints(directory: Path) -> list[Path]:
    """The checkpoints of a folder, newest first, intact or not."""
    found = directory.iterdir() if directory.is_dir() else ()
    return sorted((path for path in found if _NAME.fullmatch(path.name)), reverse=True)


def load(path: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises:
        CorruptCheckpointError: Not byte for byte what was saved.
        CheckpointError: Of another format version.
    """
    manifest, arrays = read_folder(path)
    loaded = Checkpoint(restore(manifest["state"], arrays), restore(manifest["position"], {}), path)
    named = _NAME.fullmatch(path.name)
    if named and int(named[1]) != loaded.epoch:
        raise CorruptCheckpointError(f"{path} holds epoch {loaded.epoch}: renamed or swapped")
    return loaded


def load_newest(
    directory: Path, *, on_corruption: Literal["previous", "fail"] = "previous"
) -> Checkpoint | None:
    """Read the newest intact checkpoint; None where the folder holds none at all.

    Args:
        directory: Folder of the checkpoints; need not exist.
        on_corruption: `previous` warns about a corrupt one and tries the one before it.

    Raises:
        CheckpointError: All are corrupt (or the newest is, with `fail`), or of another format.
    """
    found = sorted([*checkpoints(directory), *_set_aside(directory)], key=_plain, reverse=True)
    for path in found:
        try:
            return load(path)
        except CorruptCheckpointError as error:
            if on_corruption == "fail":
                raise
            tell(_log, "checkpoint_corrupt", error=error)
    if found:
        raise CheckpointError(
            f"all {len(found)} checkpoints in {directory} are corrupt; restore one from a backup, "
            "or move the folder away and set app.on_missing_state: fresh"
        )
    return None


def _settle(directory: Path) -> None:
    """Finish or undo what an interrupted save left; only for the one who writes there."""
    for path in directory.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(path)
    for path in _set_aside(directory):
        path.rename(directory / _plain(path))
    for path in directory.glob(f"{_REPLACED}*"):
        shutil.rmtree(path)


def _set_aside(directory: Path) -> list[Path]:
    """Checkpoints that were to be replaced, but whose successor never appeared."""
    found = directory.glob(f"{_REPLACED}*") if directory.is_dir() else ()
    return [path for path in found if not (directory / _plain(path)).exists()]


def _plain(path: Path) -> str:
    return path.name.removeprefix(_REPLACED)


def _replace(temporary: Path, target: Path) -> None:
    """Rename into place; an older checkpoint of the same epoch steps aside first."""
    aside = target.with_name(f"{_REPLACED}{target.name}")
    if target.exists():
        target.rename(aside)
    temporary.rename(target)
    fsync(target.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _prune(directory: Path, newest: Path, keep: int) -> None:
    found = checkpoints(directory)
    place = found.index(newest)
    for path in found[:place] + found[place + max(keep, 1) :]:
        shutil.rmtree(path)
