"""Registries that other packages may add to, without a change to this one.

A package adds a kind of stream by two entry points, which Python's packaging defines
(https://packaging.python.org/specifications/entry-points). In its `pyproject.toml`:

    [project.entry-points."streamssl.modality_sections"]
    frames = "frames.section:FramesConfig"

    [project.entry-points."streamssl.modalities"]
    frames = "frames.modality:FramesModality"

They are two because the section is loaded where torch must not be: by the engine's process.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, TypeVar

from streamssl.data.events import StreamsslError

T = TypeVar("T")


class PluginError(StreamsslError):
    """What was named is not installed, or cannot be loaded."""

    exit_code = 2


def names(builtin: Mapping[str, Any], group: str) -> tuple[str, ...]:
    """The names that `find` knows: those built in, then those of installed packages."""
    return (*builtin, *sorted(entry_points(group=group).names - builtin.keys()))


def version(group: str, name: str) -> str | None:
    """Distribution and version that a name comes from; None where it is built in or unknown."""
    for entry in entry_points(group=group, name=name):
        if entry.dist is not None:
            return f"{entry.dist.name} {entry.dist.version}"
    return None


def find(builtin: Mapping[str, T], group: str, name: str) -> T:
    """What a name stands for: built in, or else an entry point of that group.

    Raises:
        PluginError: The name is not known; or what it stands for cannot be imported.

    Example:
        >>> find({"sensor": 1}, "streamssl.examples", "sensor")
        1
    """
    if name in builtin:
        return builtin[name]
    for entry in entry_points(group=group, name=name):
        try:
            return entry.load()
        except Exception as error:  # Whatever somebody else's module raises.
            reason = f"{type(error).__name__}: {error}"
            raise PluginError(f"{entry.value}, installed as {name!r}, fails: {reason}") from error
    known = ", ".join(names(builtin, group))
    raise PluginError(f"nothing is installed as {name!r} in {group}; there are: {known}")
