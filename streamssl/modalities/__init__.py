"""From events of one kind of stream to what scorers and networks read.

A new modality is one package, one line in `MODALITIES` and one section of the configuration; other
packages add theirs by entry points (`config/plugins.py`).
"""

from __future__ import annotations

from typing import Any

from streamssl.config.plugins import find
from streamssl.config.root import Config
from streamssl.modalities.base import Modality, Reading
from streamssl.modalities.sensor.modality import SensorModality
from streamssl.objectives import check_objectives

MODALITIES: dict[str, type[Modality[Any]]] = {"sensor": SensorModality}
GROUP = "streamssl.modalities"


def modality_of(kind: str) -> type[Modality[Any]]:
    """The class of a kind: built in, or of an installed package.

    Raises:
        PluginError: There is no such kind, or its class cannot be imported.
    """
    return find(MODALITIES, GROUP, kind)


def modality_for(config: Config) -> type[Modality[Any]]:
    """The modality of a configuration, whose networks serve its objectives.

    Raises:
        ConfigError: They do not.
        PluginError: It is not installed, or cannot be loaded.
    """
    modality = modality_of(config.modality.kind)
    if config.learner.enabled:
        check_objectives(config.objectives, modality.network_type, config.modality.kind)
    return modality


__all__ = ["MODALITIES", "Modality", "Reading", "modality_for", "modality_of"]
