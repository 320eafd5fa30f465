"""The toy's network: numbers and embedded codes through one hidden layer.

B = samples, C = numbers, K = texts, D = embedding, P = parts, S = width of the stem.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from streamssl.config.sections import LearnerConfig
from streamssl.data.events import FloatArray, IntArray
from streamssl.data.inputs import Inputs, InputSpec, LazyInputs
from streamssl.objectives import Network, TensorInputs
from streamssl.objectives.layers import Linear
from tests.toy.features import NUM_CODES

BOUND = 5.0
CODE_SIZE = 4


def spec_of(num_numbers: int, num_texts: int) -> InputSpec:
    """Numbers within +-5, and codes."""
    return InputSpec(
        {"numbers": ((num_numbers,), np.float32), "codes": ((num_texts,), np.int64)},
        width=num_numbers + num_texts,
        steps=1,
    )


class ToyInputs(LazyInputs):
    """What the network reads of a batch: it is there already."""

    def __init__(self, z_BC: FloatArray, codes_BK: IntArray) -> None:
        self._z_BC = np.clip(z_BC, -BOUND, BOUND).astype(np.float32)
        self._codes_BK = codes_BK

    def __len__(self) -> int:
        return len(self._codes_BK)

    def __getitem__(self, rows: slice | IntArray) -> Inputs:
        return {"numbers": self._z_BC[rows], "codes": self._codes_BK[rows]}


class ToyNetwork(Network):
    """It has what the denoising autoencoder and the contrast need, and predicts nothing."""

    def __init__(self, *, num_numbers: int, num_texts: int, config: LearnerConfig) -> None:
        super().__init__()
        self.num_numbers, self.num_texts = num_numbers, num_texts
        width = num_numbers + num_texts * CODE_SIZE
        self.table = nn.Embedding(num_texts * NUM_CODES, CODE_SIZE)
        self.hidden = Linear(width, config.hidden)
        self.output = Linear(config.hidden, config.embedding)
        self.decoder = Linear(config.embedding, width)
        self.projector = Linear(config.embedding, config.projection)

    def encode(self, inputs: TensorInputs) -> Tensor:
        """Embedding `[B, D]`."""
        return self.embed(self.stem(inputs))

    def stem(self, inputs: TensorInputs) -> Tensor:
        """`[B, S]` numbers, then a vector a text."""
        place_K = torch.arange(self.num_texts, device=inputs["codes"].device) * NUM_CODES
        return torch.cat([inputs["numbers"], self.table(inputs["codes"] + place_K).flatten(1)], 1)

    def embed(self, stem: Tensor) -> Tensor:
        """Embedding `[B, D]`."""
        embedding_BD: Tensor = self.output(nn.functional.gelu(self.hidden(stem)))
        return embedding_BD

    def decode(self, h_BD: Tensor) -> Tensor:
        """`[B, S]` the stem."""
        stem_BS: Tensor = self.decoder(h_BD)
        return stem_BS

    def corrupt(
        self, stem: Tensor, generator: torch.Generator, *, noise: float, mask: float
    ) -> Tensor:
        """Noise everywhere; whole values hidden."""
        noisy = torch.empty_like(stem).normal_(0.0, noise, generator=generator) + stem
        return noisy * (torch.empty_like(stem).uniform_(generator=generator) >= mask)

    def hide(
        self, stem: Tensor, generator: torch.Generator, *, time: float, channels: float
    ) -> tuple[Tensor, Tensor]:
        """Whole values hidden; an event has no steps."""
        del time
        hidden = torch.empty_like(stem).uniform_(generator=generator) < channels
        return stem * ~hidden, hidden

    def augment(self, inputs: TensorInputs, generator: torch.Generator) -> TensorInputs:
        """Numbers with noise; each text hidden in a quarter of the samples."""
        numbers, codes = inputs["numbers"], inputs["codes"]
        noise = torch.empty_like(numbers).normal_(0.0, 0.1, generator=generator)
        shown = torch.rand(codes.shape, generator=generator, device=codes.device) >= 0.25
        return {"numbers": numbers + noise, "codes": codes * shown}

    def project(self, h_BD: Tensor) -> Tensor:
        """Unit vectors `[B, P]`."""
        return nn.functional.normalize(self.projector(h_BD), dim=1)

    def infer(self, inputs: TensorInputs, readout: None) -> tuple[Tensor, Tensor]:  # noqa: ARG002 - the interface's
        """Embedding, and what could not be reconstructed: a number each, a length each text."""
        stem_BS = self.stem(inputs)
        embedding_BD = self.embed(stem_BS)
        gap_BS = stem_BS - self.decode(embedding_BD)
        squared_BKS = gap_BS[:, self.num_numbers :].reshape(-1, self.num_texts, CODE_SIZE) ** 2
        # Added up one by one: a reduction of few values adds in another order at another place.
        length_BK = torch.stack(squared_BKS.unbind(2)).cumsum(0)[-1].sqrt()
        return embedding_BD, torch.cat([gap_BS[:, : self.num_numbers], length_BK], 1)
