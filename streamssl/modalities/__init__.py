"""Fields to tensors: one package per kind of stream.

A new modality is one package, one line in `MODALITIES` and a section of the configuration; the
contract tests pick it up from there.
"""

from __future__ import annotations

from streamssl.modalities.base import Modality, Reading, Windows
from streamssl.modalities.sensor.modality import SensorModality

MODALITIES: dict[str, type[Modality]] = {"sensor": SensorModality}

__all__ = ["MODALITIES", "Modality", "Reading", "Windows"]
