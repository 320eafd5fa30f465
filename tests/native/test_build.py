"""Building the library: with a compiler, with one that fails, with none."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamssl.native import build

HERE = build.HERE


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A copy of what is compiled."""
    shutil.copytree(HERE / "source", tmp_path / "source")
    shutil.copy(HERE / "build.py", tmp_path)
    return tmp_path


def run(room: Path, **environment: str) -> str:
    """What `build.py` says; it must not fail. No packages: ziglang may be among them."""
    command = [sys.executable, "-I", "-S", "build.py"]
    done = subprocess.run(
        command, cwd=room, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.skipif(not shutil.which("c++"), reason="there is no compiler")
def test_a_compiler_makes_the_library_once(room: Path) -> None:
    """It can be loaded; what was made of other sources goes; a second time does nothing."""
    old = room / "kernels-of-other-sources.so"
    old.touch()
    assert run(room).startswith("compiled kernels-")
    (made,) = room.glob("kernels-*")
    assert ctypes.CDLL(str(made)).ema_scan_f64_f64
    assert run(room) == ""


def test_without_a_compiler_it_is_said(room: Path) -> None:
    """No error: NumPy does the work."""
    assert run(room, PATH="", CXX="").startswith(
        "not compiled, NumPy does the work: there is no C++ compiler"
    )
    assert not list(room.glob("kernels-*"))


@pytest.mark.parametrize("compiler", ["a-compiler-that-is-not-there", "false --always"])
def test_a_compiler_that_fails_is_named(room: Path, compiler: str) -> None:
    """And nothing is left of it."""
    said = run(room, CXX=compiler)
    assert said.startswith("not compiled, NumPy does the work: ")
    assert compiler in said
    assert not list(room.glob("kernels-*"))
