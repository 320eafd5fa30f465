"""Atomic, bounded, and never used when damaged."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamssl.checkpoint import CheckpointError, CorruptCheckpointError
from streamssl.checkpoint import store as store_module
from streamssl.checkpoint.store import checkpoints, load, load_newest, save


def put(folder: Path, epoch: int, keep: int = 3) -> Path:
    """A checkpoint whose state tells its epoch."""
    state = {"weights": np.full(16, float(epoch)), "epoch": epoch}
    return save(folder, state, position={"epoch": epoch, "offset": 10 * epoch}, keep=keep)


def newest_epoch(folder: Path) -> int | None:
    """Epoch of the newest intact checkpoint, checked against its state."""
    found = load_newest(folder)
    if found is None:
        return None
    assert found.state["weights"].tolist() == [float(found.epoch)] * 16
    return found.epoch


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    """Only the newest `keep` stay, and the newest is the one that is loaded."""
    for epoch in range(1, 6):
        put(tmp_path, epoch)
    assert [int(path.name[-3:]) for path in checkpoints(tmp_path)] == [5, 4, 3]
    assert newest_epoch(tmp_path) == 5


def test_nothing_saved_is_nothing(tmp_path: Path) -> None:
    """An absent or empty folder holds no checkpoint, which is no error."""
    assert load_newest(tmp_path / "absent") is None
    assert load_newest(tmp_path) is None


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), data=st.data())
def test_any_flipped_bit_is_detected(
    tmp_path: Path, place: float, bit: int, data: st.DataObject
) -> None:
    """One bit anywhere in any file makes a checkpoint corrupt, and the previous is used."""
    put(tmp_path, 1)
    path = put(tmp_path, 2)
    files = sorted(path.iterdir())
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    file.write_bytes(content)
    with pytest.raises(CorruptCheckpointError):
        load(path)
    assert newest_epoch(tmp_path) == 1


def truncate(path: Path) -> None:
    """Cut a file's end off."""
    path.write_bytes(path.read_bytes()[:-1])


def zero(path: Path) -> None:
    """Replace all bytes by zeros, as a lost write leaves them."""
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [truncate, zero, Path.unlink])
@pytest.mark.parametrize("name", ["state.safetensors", "manifest.json", "manifest.json.sha256"])
def test_damaged_files_are_detected(
    tmp_path: Path, damage: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Truncated, zeroed and missing files: a warning, and the previous one is used."""
    put(tmp_path, 1)
    damage(put(tmp_path, 2) / name)
    with caplog.at_level(logging.WARNING):
        assert newest_epoch(tmp_path) == 1
    assert "corrupt" in caplog.text


def test_swaps_between_checkpoints_are_detected(tmp_path: Path) -> None:
    """A file, or the whole folder, of another checkpoint does not pass for this one."""
    put(tmp_path, 1)
    old, new = put(tmp_path, 2), put(tmp_path, 3)
    shutil.copy(old / "state.safetensors", new / "state.safetensors")
    assert newest_epoch(tmp_path) == 2
    shutil.rmtree(new)
    old.rename(new)
    assert newest_epoch(tmp_path) == 1


def test_an_edited_manifest_is_detected(tmp_path: Path) -> None:
    """A manifest changed by hand is not what was saved."""
    manifest = put(tmp_path, 2) / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"offset": 20', '"offset": 21'))
    with pytest.raises(CheckpointError, match="all 1 checkpoints"):
        load_newest(tmp_path)


def test_the_policy_may_be_to_fail(tmp_path: Path) -> None:
    """With `fail` a corrupt newest ends with exit code 4, though an older one is intact."""
    put(tmp_path, 1)
    zero(put(tmp_path, 2) / "state.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_newest(tmp_path, on_corruption="fail")
    assert caught.value.exit_code == 4


def test_another_format_is_an_error(tmp_path: Path) -> None:
    """A checkpoint of another format version is never skipped as if it were corrupt."""
    put(tmp_path, 1)
    path = put(tmp_path, 2)
    manifest = json.loads((path / "manifest.json").read_text()) | {"format": 4}
    text = json.dumps(manifest).encode()
    (path / "manifest.json").write_bytes(text)
    checksum = f"{hashlib.sha256(text).hexdigest()}  manifest.json\n"
    (path / "manifest.json.sha256").write_text(checksum)
    with pytest.raises(CheckpointError, match="format 4"):
        load_newest(tmp_path)


class Killed(BaseException):
    """Stands for the end of the process."""


STEPS = ("write_folder", "_replace", "_prune", "fsync")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("epoch", [2, 3])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, epoch: int, after: bool
) -> None:
    """Killed before or after any step, also while replacing epoch 2: a whole one is found."""
    put(tmp_path, 1)
    put(tmp_path, 2)
    real = getattr(store_module, step)

    def kill(*args: Any) -> None:
        if after:
            real(*args)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(store_module, step, kill)
        with pytest.raises(Killed):
            put(tmp_path, epoch)
    assert newest_epoch(tmp_path) in {2, epoch}
    put(tmp_path, 4)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert newest_epoch(tmp_path) == 4


def test_a_crash_between_the_renames_loses_nothing(tmp_path: Path) -> None:
    """The replaced checkpoint of the same epoch comes back if its successor never appeared."""
    path = put(tmp_path, 1)
    path.rename(tmp_path / f".old-{path.name}")
    assert newest_epoch(tmp_path) == 1


def test_reading_leaves_a_save_in_progress_alone(tmp_path: Path) -> None:
    """Another process may be writing there: `--init-from` on the folder of a live daemon."""
    path = put(tmp_path, 1)
    (tmp_path / ".new-checkpoint-000000000002").mkdir()
    path.rename(tmp_path / f".old-{path.name}")
    before = sorted(tmp_path.iterdir())
    assert newest_epoch(tmp_path) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_the_saved_one_is_the_newest(tmp_path: Path) -> None:
    """Later epochs in the folder belong to a history that was given up: they are removed."""
    for epoch in (7, 8, 9):
        put(tmp_path, epoch)
    zero(tmp_path / "checkpoint-000000000009" / "manifest.json")
    put(tmp_path, 8)
    assert newest_epoch(tmp_path) == 8
    assert len(checkpoints(tmp_path)) == 2


def test_an_impossible_folder_is_explained(tmp_path: Path) -> None:
    """A folder that cannot be made is a CheckpointError that names the setting to mend."""
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"app\.state_dir"):
        put(tmp_path / "file", 1)


def test_a_failed_write_leaves_the_rest_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is a CheckpointError; what was there before still loads, nothing is left over."""
    put(tmp_path, 1)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module, "write_folder", full)
    with pytest.raises(CheckpointError, match="No space left"):
        put(tmp_path, 2)
    assert newest_epoch(tmp_path) == 1
