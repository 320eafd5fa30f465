"""From events of one kind of stream to what scorers and networks read.

A new modality is one package, one line in `MODALITIES` and one section of the configuration; other
packages add theirs by entry points (`config/plugins.py`).
"""

from __future__ import annotations

from typing import Any

from streamssl.config.plugins import find
from streamssl.modalities.base import Modality, Reading
from streamssl.modalities.sensor.modality import SensorModality

MODALITIES: dict[str, type[Modality[Any]]] = {"sensor": SensorModality}
GROUP = "streamssl.modalities"


def modality_of(kind: str) -> type[Modality[Any]]:
    """The class of a kind: built in, or of an installed package.

    Raises:
        PluginError: There is no such kind, or its class cannot be imported.
    """
    return find(MODALITIES, GROUP, kind)


__all__ = ["MODALITIES", "Modality", "Reading", "modality_of"]
