"""A small network that keeps the objectives' contract, for their tests.

B = samples, T = steps, C = channels, D = embedding, P = projection.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from streamssl.config.sections import ObjectivesConfig
from streamssl.modalities.sensor.views import corrupt, hide, past, reorder
from streamssl.objectives import OBJECTIVES, HeadSizes, Network, Objective, Sample, TensorInputs

NUM_STEPS, NUM_CHANNELS, SIZE, NUM_KEYS = 6, 3, 5, 3
SIZES = HeadSizes(SIZE, SIZE)


class TinyNetwork(Network):
    """Linear maps everywhere; the stem is the window itself, a view is it with a little noise."""

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

    def encode(self, inputs: TensorInputs) -> Tensor:
        """Embedding `[B, D]`."""
        return self.embed(self.stem(inputs))

    def stem(self, inputs: TensorInputs) -> Tensor:
        """The window itself."""
        return inputs["window"]

    def embed(self, stem: Tensor) -> Tensor:
        """Embedding `[B, D]`."""
        embedding_BD: Tensor = self.encoder(stem.flatten(1))
        return embedding_BD

    def corrupt(
        self, stem: Tensor, generator: torch.Generator, *, noise: float, mask: float
    ) -> Tensor:
        """Every row is corrupted by itself."""
        return corrupt(stem, torch.ones(NUM_STEPS), generator, noise=noise, mask=mask)

    def augment(self, inputs: TensorInputs, generator: torch.Generator) -> TensorInputs:
        """A little noise."""
        x_BTC = inputs["window"]
        return {"window": x_BTC + 0.1 * torch.randn(x_BTC.shape, generator=generator)}

    def hide(
        self, stem: Tensor, generator: torch.Generator, *, time: float, channels: float
    ) -> tuple[Tensor, Tensor]:
        """One span of the steps and whole channels."""
        return hide(stem, generator, time=time, channels=channels)

    def reorder(self, inputs: TensorInputs, generator: torch.Generator) -> TensorInputs:
        """Two parts of the window change places."""
        return {"window": reorder(inputs["window"], generator)}

    def past(self, inputs: TensorInputs) -> TensorInputs:
        """Without the last row."""
        return {"window": past(inputs["window"])}

    def newest(self, inputs: TensorInputs) -> Tensor:
        """The last row."""
        return inputs["window"][:, -1]

    def project(self, h_BD: Tensor) -> Tensor:
        """Unit vectors `[B, P]`."""
        return nn.functional.normalize(self.projector(h_BD), dim=1)

    def predict(self, h_BD: Tensor) -> Tensor:
        """The next row `[B, C]`."""
        next_BC: Tensor = self.predictor(h_BD)
        return next_BC

    def decode(self, h_BD: Tensor) -> Tensor:
        """The window `[B, T, C]`."""
        flat_BF: Tensor = self.decoder(h_BD)
        return flat_BF.view(-1, NUM_STEPS, NUM_CHANNELS)


def make_sample(num_samples: int, seed: int = 1) -> Sample:
    """Random windows a second apart, of three keys in turn."""
    window = np.random.default_rng(seed).normal(size=(num_samples, NUM_STEPS, NUM_CHANNELS))
    window_BTC = torch.from_numpy(window).float()
    return Sample(
        key_B=torch.arange(num_samples) % NUM_KEYS,
        inputs={"window": window_BTC},
        event_time_B=torch.arange(num_samples, dtype=torch.float64),
        span_s=float(NUM_STEPS),
    )


def make_objective(name: str) -> Objective:
    """The objective of that name with its default configuration."""
    section = getattr(ObjectivesConfig(), name)
    return OBJECTIVES[name].build(section, sizes=SIZES, generator=seeded(0))


def seeded(seed: int) -> torch.Generator:
    """A generator with that seed."""
    return torch.Generator().manual_seed(seed)
