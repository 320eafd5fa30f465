"""The shape of the tables of log events."""

from __future__ import annotations

from collections.abc import Mapping

# Name of the event -> (level, message, further fields, when it is told).
Table = Mapping[str, tuple[str, str, str, str]]
