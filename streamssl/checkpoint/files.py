"""The files of one checkpoint, with a checksum over every byte."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from streamssl.checkpoint.errors import CheckpointError, CorruptCheckpointError
from streamssl.checkpoint.snapshot import Arrays, Snapshot, snapshot
from streamssl.version import __version__

FORMAT = 3
_ARRAYS = "state.safetensors"
_MANIFEST = "manifest.json"
_CHECKSUM = "manifest.json.sha256"


def fsync(path: Path) -> None:
    """Have a file, or the entries of a folder, on the disk before anything that follows."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_folder(folder: Path, state: Snapshot, position: Mapping[str, Any]) -> None:
    """Write a checkpoint's files and sync them and their folder."""
    folder.mkdir()
    save_file(dict(state.arrays), folder / _ARRAYS)
    head = {
        "format": FORMAT,
        "package": __version__,
        "files": {_ARRAYS: _describe(folder / _ARRAYS)},
    }
    # State and position are JSON text already (the first can be large): spliced, not parsed.
    place = snapshot(position).document
    text = f'{json.dumps(head)[:-1]}, "position": {place}, "state": {state.document}}}\n'
    manifest = text.encode("ascii")
    (folder / _MANIFEST).write_bytes(manifest)
    (folder / _CHECKSUM).write_text(_checksum_line(manifest), encoding="ascii")
    for name in (_ARRAYS, _MANIFEST, _CHECKSUM):
        fsync(folder / name)
    fsync(folder)


def read_folder(folder: Path) -> tuple[dict[str, Any], Arrays]:
    """Read a checkpoint's files, after every byte was checked.

    Returns:
        The manifest and the arrays.

    Raises:
        CorruptCheckpointError: A file is missing or differs from what was written.
        CheckpointError: Written by a version with another format.
    """
    try:
        manifest = _read_manifest(folder)
        for name, described in manifest["files"].items():
            if _describe(folder / name) != described:
                raise CorruptCheckpointError(f"{folder / name} is not what was saved")
        return manifest, load_file(folder / _ARRAYS)
    except (OSError, SafetensorError) as error:
        raise CorruptCheckpointError(f"{folder} cannot be read: {error}") from error


def _read_manifest(folder: Path) -> dict[str, Any]:
    text = (folder / _MANIFEST).read_bytes()
    if (folder / _CHECKSUM).read_bytes() != _checksum_line(text).encode("ascii"):
        raise CorruptCheckpointError(f"{folder / _MANIFEST} is not what was saved")
    manifest: dict[str, Any] = json.loads(text)
    if manifest["format"] != FORMAT:
        raise CheckpointError(
            f"{folder} has format {manifest['format']} (written by streamssl "
            f"{manifest['package']}), this version reads format {FORMAT}; use that version, or "
            "start with an empty app.state_dir and app.on_missing_state: fresh"
        )
    return manifest


def _checksum_line(manifest: bytes) -> str:
    return f"{hashlib.sha256(manifest).hexdigest()}  {_MANIFEST}\n"


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"sha256": digest, "size": path.stat().st_size}
