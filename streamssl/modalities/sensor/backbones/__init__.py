"""Encoders of sensor windows, chosen by `learner.backbone`.

A new one is one file, one line in `BACKBONES` and one in the literal `LearnerConfig.backbone`.
"""

from __future__ import annotations

from typing import Protocol

from streamssl.modalities.sensor.backbone import Backbone
from streamssl.modalities.sensor.backbones.gru import Gru
from streamssl.modalities.sensor.backbones.linear_recurrent import LinearRecurrent
from streamssl.modalities.sensor.backbones.mlp import Mlp
from streamssl.modalities.sensor.backbones.tcn import Tcn
from streamssl.modalities.sensor.backbones.transformer import Transformer
from streamssl.modalities.sensor.encoder import WindowEncoder


class BackboneType(Protocol):
    """How a backbone is made, and what its stem is before it is made."""

    def __call__(self, *, num_channels: int, window: int, hidden: int, embedding: int) -> Backbone:
        """A backbone with weights from torch's global generator."""

    def blocks(self, window: int, num_channels: int) -> list[int]:
        """Rows of the window that each row of the stem is the mean of, oldest first."""


BACKBONES: dict[str, BackboneType] = {
    "summary": WindowEncoder,
    "mlp": Mlp,
    "tcn": Tcn,
    "gru": Gru,
    "transformer": Transformer,
    "linear_recurrent": LinearRecurrent,
}

__all__ = ["BACKBONES", "Backbone"]
