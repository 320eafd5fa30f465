"""From events of one kind of stream to what scorers and networks read.

A new modality is one package, one line in `MODALITIES` and one section of the configuration; the
contract tests pick it up from there.
"""

from __future__ import annotations

from typing import Any

from streamssl.modalities.base import Modality, Reading
from streamssl.modalities.sensor.modality import SensorModality

MODALITIES: dict[str, type[Modality[Any]]] = {"sensor": SensorModality}

__all__ = ["MODALITIES", "Modality", "Reading"]
