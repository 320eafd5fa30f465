"""The wheel: all of the package with the files that it reads, and nothing beside it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ_BY_DEMO = (
    "streamssl/demo/sensor/demo.yaml",
    "streamssl/devkit/broker/log4j2.properties",
    "streamssl/devkit/broker/pom.xml",
    "streamssl/devkit/broker/server.properties",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """Its files."""
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def test_what_the_demo_reads_is_inside(names: set[str]) -> None:
    """`streamssl demo` needs no checkout: configuration, Kafka's settings and coordinates."""
    assert set(READ_BY_DEMO) <= names


def test_the_whole_package_is_inside(names: set[str]) -> None:
    """Every file of `streamssl/`, whatever its kind."""
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "streamssl").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("streamssl/")} == sources


def test_nothing_else_is_inside(names: set[str]) -> None:
    """No tests and no benchmarks: beside the package only what describes the wheel."""
    others = {name.split("/")[0] for name in names} - {"streamssl"}
    assert len(others) == 1
    assert others.pop().endswith(".dist-info")


def test_it_is_of_a_platform_where_something_is_compiled(wheel: Path, names: set[str]) -> None:
    """For every Python there; without a compiler for every platform."""
    has_library = any(name.startswith("streamssl/native/kernels-") for name in names)
    assert has_library == (wheel.stem.split("-")[-1] != "any")
    assert wheel.stem.split("-")[-3:-1] == ["py3", "none"]
