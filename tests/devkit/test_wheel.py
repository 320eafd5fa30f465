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
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Files of a wheel that is built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
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
