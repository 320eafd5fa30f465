"""Parts that were measured, as JSON files: a page may be put together from several commands."""

from __future__ import annotations

import os
import platform
import zlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

import streamssl
from benchmarks.speed.plan import PARTS
from benchmarks.speed.results import KINDS


class Origin(msgspec.Struct, kw_only=True):
    """How a part came about.

    Attributes:
        command: The command line.
        events: Of each Kafka row.
        at: When it ended, UTC.
        build: CRC of the package's sources.
        versions: Of Python and the libraries.
        load_before: Mean number of running processes in the minute before.
        seconds: That the part took.
    """

    command: str
    events: int
    at: str
    build: str
    versions: str
    load_before: float
    seconds: float


class Kept(msgspec.Struct, kw_only=True):
    """One part, with its origin."""

    origin: Origin
    part: Any


class Store:
    """A folder with one JSON file a part.

    Args:
        folder: Made when the first part is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, part: msgspec.Struct, origin: Origin) -> None:
        """Write a part; the one that was there is replaced."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(Kept(origin=origin, part=part)), indent=1)
        (self._folder / f"{name}.json").write_bytes(text + b"\n")

    def copy_to(self, folder: Path) -> None:
        """Put all parts into another folder, too."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in self._paths().values():
            (folder / path.name).write_bytes(path.read_bytes())

    def parts(self) -> dict[str, Any]:
        """Every part that is there, by name."""
        return {
            name: msgspec.convert(kept.part, KINDS[name]) for name, kept in self._kept().items()
        }

    def origins(self) -> Mapping[str, Origin]:
        """Where every part came from, by name."""
        return {name: kept.origin for name, kept in self._kept().items()}

    def _kept(self) -> dict[str, Kept]:
        return {
            name: msgspec.json.decode(path.read_bytes(), type=Kept)
            for name, path in self._paths().items()
        }

    def _paths(self) -> dict[str, Path]:
        paths = {name: self._folder / f"{name}.json" for name in PARTS}
        return {name: path for name, path in paths.items() if path.exists()}


def versions() -> str:
    """Python and the libraries that decide the speed."""
    names = ("streamssl", "numpy", "torch", "kafka-python", "pyarrow")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    return f"Python {platform.python_version()}, {packages}, {platform.machine()}"


def build() -> str:
    """Eight hex digits that change with every source of the package."""
    folder = Path(streamssl.__file__).parent
    found = 0
    for path in sorted(folder.rglob("*.py")):
        found = zlib.crc32(path.read_bytes(), found)
    return f"{found:08x}"


def load_average() -> float:
    """Mean number of running processes in the last minute."""
    return os.getloadavg()[0]
