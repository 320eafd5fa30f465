"""A small network that keeps the objectives' contract, for their tests.

B = samples, T = steps, C = channels, D = embedding, P = projection.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from streamssl.config.sections import ObjectivesConfig
from streamssl.modalities.sensor.views import past
from streamssl.objectives import OBJECTIVES, Objective, Sample

NUM_STEPS, NUM_CHANNELS, SIZE = 6, 3, 5


class TinyNetwork(nn.Module):
    """Linear maps everywhere; the summary is the window itself."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        flat = NUM_STEPS * NUM_CHANNELS
        self.encoder = nn.Linear(flat, SIZE)
        self.projector = nn.Linear(SIZE, SIZE)
        self.predictor = nn.Linear(SIZE, NUM_CHANNELS)
        self.decoder = nn.Linear(SIZE, flat)
        generator = np.random.default_rng(seed)
        for parameter in self.parameters():
            values = generator.normal(0.0, 0.3, tuple(parameter.shape))
            parameter.data = torch.from_numpy(values).float()

    def encode(self, x_BTC: Tensor) -> Tensor:
        """Embedding `[B, D]`."""
        return self.embed(x_BTC)

    def embed(self, summary_BSC: Tensor) -> Tensor:
        """Embedding `[B, D]`."""
        embedding_BD: Tensor = self.encoder(summary_BSC.flatten(1))
        return embedding_BD

    @property
    def rows_S(self) -> Tensor:
        """Every row by itself."""
        return torch.ones(NUM_STEPS)

    def project(self, h_BD: Tensor) -> Tensor:
        """Unit vectors `[B, P]`."""
        return nn.functional.normalize(self.projector(h_BD), dim=1)

    def predict(self, h_BD: Tensor) -> Tensor:
        """The next row `[B, C]`."""
        next_BC: Tensor = self.predictor(h_BD)
        return next_BC

    def summarise(self, x_BTC: Tensor) -> Tensor:
        """The window itself."""
        return x_BTC

    def decode(self, h_BD: Tensor) -> Tensor:
        """The window `[B, T, C]`."""
        flat_BF: Tensor = self.decoder(h_BD)
        return flat_BF.view(-1, NUM_STEPS, NUM_CHANNELS)


def make_sample(num_samples: int, seed: int = 1) -> Sample:
    """Random windows a second apart; the augmentation adds a little noise."""
    window = np.random.default_rng(seed).normal(size=(num_samples, NUM_STEPS, NUM_CHANNELS))
    window_BTC = torch.from_numpy(window).float()
    return Sample(
        window_BTC=window_BTC,
        past=past,
        augment=lambda x_BTC, g: x_BTC + 0.1 * torch.randn(x_BTC.shape, generator=g),
        event_time_B=torch.arange(num_samples, dtype=torch.float64),
        span_s=float(NUM_STEPS),
    )


def make_objective(name: str) -> Objective:
    """The objective of that name with its default configuration."""
    section = getattr(ObjectivesConfig(), name)
    return OBJECTIVES[name].build(section, projection=SIZE, generator=seeded(0))


def seeded(seed: int) -> torch.Generator:
    """A generator with that seed."""
    return torch.Generator().manual_seed(seed)
