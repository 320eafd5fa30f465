"""The network that exists twice, as student and as teacher: encoder, projector, predictor, decoder.

B = events, T = steps, S = summary rows, C = channels, D = embedding, P = projection, R = residuals.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from streamssl.config.sections import LearnerConfig
from streamssl.modalities.sensor.backbones import BACKBONES
from streamssl.modalities.sensor.views import corrupt, hide, past, reorder, view
from streamssl.objectives import Network, TensorInputs
from streamssl.objectives.layers import Linear


class Readout(NamedTuple):
    """Linear map from an embedding to the reconstructed last row and window mean."""

    weight_RD: Tensor
    bias_R: Tensor


class SensorNetwork(Network):
    """An encoder of sensor windows and the heads that train it.

    Predictor and decoder are linear: what they need must be in the embedding, and their
    residuals cost one small product an event.

    Args:
        num_channels: C.
        window: T.
        config: The backbone, and sizes of the layers.
        next_step: Whether residuals hold those of the next-step prediction, a second pass.
    """

    last_S: Tensor

    def __init__(
        self, *, num_channels: int, window: int, config: LearnerConfig, next_step: bool = False
    ) -> None:
        super().__init__()
        self.next_step = next_step
        self.encoder = BACKBONES[config.backbone](
            num_channels=num_channels,
            window=window,
            hidden=config.hidden,
            embedding=config.embedding,
        )
        self.projector = nn.Sequential(
            nn.Linear(config.embedding, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.projection),
        )
        num_rows = len(self.encoder.sizes)
        self.predictor = Linear(config.embedding, num_channels)
        self.decoder = Linear(config.embedding, num_rows * num_channels)
        self.decoder_shape = (num_rows, num_channels)
        last_S = nn.functional.one_hot(torch.tensor(num_rows - 1), num_rows).float()
        self.register_buffer("last_S", last_S, persistent=False)

    def begin_at(self, weight_FD: Tensor, bias_D: Tensor) -> None:
        """Let the encoder begin at a linear map of the summary, as far as it has a linear path."""
        self.encoder.begin_at(weight_FD, bias_D)

    def encode(self, inputs: TensorInputs) -> Tensor:
        """Embedding `[B, D]` of a window."""
        return self.embed(self.stem(inputs))

    def embed(self, summary_BSC: Tensor) -> Tensor:
        """Embedding `[B, D]` of a window's summary, which is all that the encoder looks at."""
        embedding_BD: Tensor = self.encoder(summary_BSC)
        return embedding_BD

    def project(self, h_BD: Tensor) -> Tensor:
        """Unit vectors `[B, P]` in which views are compared: p / ||p|| of two layers."""
        return nn.functional.normalize(self.projector(h_BD), dim=1)

    def predict(self, h_BD: Tensor) -> Tensor:
        """The row `[B, C]` that comes after the window."""
        next_BC: Tensor = self.predictor(h_BD)
        return next_BC

    def stem(self, inputs: TensorInputs) -> Tensor:
        """The summary `[B, S, C]`, which is all that the encoder looks at and the decoder's aim."""
        return self.encoder.summarise(inputs["window"])

    def corrupt(
        self, stem_BSC: Tensor, generator: torch.Generator, *, noise: float, mask: float
    ) -> Tensor:
        """A noisy summary of which whole channels are hidden."""
        return corrupt(stem_BSC, self.encoder.rows_S, generator, noise=noise, mask=mask)

    def hide(
        self, stem_BSC: Tensor, generator: torch.Generator, *, time: float, channels: float
    ) -> tuple[Tensor, Tensor]:
        """A summary without a span of its rows and without some channels, and what is hidden."""
        return hide(stem_BSC, generator, time=time, channels=channels)

    def reorder(self, inputs: TensorInputs, generator: torch.Generator) -> TensorInputs:
        """Windows of which two parts have changed places."""
        return {"window": reorder(inputs["window"], generator)}

    def newest(self, inputs: TensorInputs) -> Tensor:
        """The last row `[B, C]`, which `predict` is asked for."""
        return inputs["window"][:, -1]

    def past(self, inputs: TensorInputs) -> TensorInputs:
        """Windows as they were one row earlier."""
        return {"window": past(inputs["window"])}

    def augment(self, inputs: TensorInputs, generator: torch.Generator) -> TensorInputs:
        """One augmented view (`views.py`); two calls give two."""
        return {"window": view(inputs["window"], generator)}

    def decode(self, h_BD: Tensor) -> Tensor:
        """The summary `[B, S, C]` of the window that an embedding stands for."""
        summary_BSC: Tensor = self.decoder(h_BD).unflatten(1, self.decoder_shape)
        return summary_BSC

    def readout(self) -> Readout:
        """The decoder composed with taking last row and window mean, which are linear as it is."""
        last_mean_2S = torch.stack([self.last_S, self.encoder.share_S])
        weight_SCD = self.decoder.weight.view(*self.decoder_shape, -1)
        weight_RD = torch.tensordot(last_mean_2S, weight_SCD, 1).flatten(0, 1)
        bias_R = (last_mean_2S @ self.decoder.bias.view(self.decoder_shape)).flatten()
        return Readout(weight_RD, bias_R)

    def infer(self, inputs: TensorInputs, readout: Readout) -> tuple[Tensor, Tensor]:
        """Embedding `[B, D]`, and residuals `[B, R]` in the windows' units.

        Actual minus expected, x - x': of the last row and of the window's mean reconstructed by
        the decoder and, with `next_step`, of the last row predicted from the rows before it.
        """
        summary_BSC = inputs["summary"]
        embedding_BD = self.embed(summary_BSC)
        reconstructed_BR = nn.functional.linear(embedding_BD, readout.weight_RD, readout.bias_R)
        last_BC = summary_BSC[:, -1]  # A block of one row.
        mean_BC = (summary_BSC * self.encoder.share_S[:, None]).sum(1)
        residual_BR = torch.cat([last_BC, mean_BC], 1) - reconstructed_BR
        if self.next_step:
            surprise_BC = last_BC - self.predict(self.embed(inputs["before"]))
            residual_BR = torch.cat([residual_BR, surprise_BC], 1)
        return embedding_BD, residual_BR
