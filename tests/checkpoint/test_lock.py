"""One process per state directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from streamssl.checkpoint import StateLockedError, lock

HOLD = """
import sys, pathlib
from streamssl.checkpoint.lock import lock
with lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_holder_is_named_and_its_end_frees(tmp_path: Path) -> None:
    """A second process is refused with the holder's pid; after a kill -9 the lock is free."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateLockedError, match=f"process {holder.pid}"), lock(tmp_path):
            pytest.fail("two holders")
        holder.kill()
        holder.wait()
        with lock(tmp_path):
            assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_it_can_be_taken_again(tmp_path: Path) -> None:
    """Leaving the block frees the lock; the folder is made if absent."""
    for _ in range(2):
        with lock(tmp_path / "new"):
            assert (tmp_path / "new" / "lock").read_text() == f"{os.getpid()}\n"


def test_an_impossible_folder_is_explained(tmp_path: Path) -> None:
    """A state directory that is a file is an error that names the setting."""
    (tmp_path / "file").touch()
    with pytest.raises(StateLockedError, match=r"app\.state_dir"), lock(tmp_path / "file"):
        pytest.fail("held a file")


def test_a_full_disk_is_survived_and_a_file_system_without_locks_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of it looks like a defect: the number of the holder is not needed, the lock is."""
    (tmp_path / "lock").symlink_to("/dev/full")
    with lock(tmp_path):
        assert "cannot note" in caplog.text
    monkeypatch.setattr("fcntl.flock", lambda *_: _fail(37, "No locks available"))
    with pytest.raises(StateLockedError, match=r"No locks.*app\.state_dir"), lock(tmp_path):
        pytest.fail("held without a lock")


def _fail(number: int, text: str) -> NoReturn:
    raise OSError(number, text)
