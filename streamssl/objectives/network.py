"""What student and teacher can do, each for its own kind of stream.

B = samples, D = embedding, P = projection, R = residuals.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

TensorInputs = dict[str, Tensor]


class Network(nn.Module):
    """Student or teacher: an encoder, its heads, and how its inputs are varied.

    A network of a modality overrides what it has: always `encode` and `infer`, of the rest what
    its objectives need (see `lacking`).
    """

    def begin_at(self, weight_FD: Tensor, bias_D: Tensor) -> None:
        """Begin at a linear map of what is looked at; by default there is none to begin with."""

    def encode(self, inputs: TensorInputs) -> Tensor:
        """Embedding `[B, D]` of the inputs."""
        raise NotImplementedError

    def infer(self, inputs: TensorInputs, readout: Any) -> tuple[Tensor, Tensor]:
        """Embedding `[B, D]`, and residuals `[B, R]` (actual minus expected), part fastest.

        Args:
            inputs: A tile of `LazyInputs.for_inference`, always of the same size.
            readout: What `readout` gave for these weights.
        """
        raise NotImplementedError

    def readout(self) -> Any:
        """What `infer` makes of the weights alone, once for as long as they stay."""
        return None

    def stem(self, inputs: TensorInputs) -> Tensor:
        """What the encoder looks at, `[B, ...]`: encode(x) = embed(stem(x))."""
        raise NotImplementedError

    def embed(self, stem: Tensor) -> Tensor:
        """Embedding `[B, D]` of a stem."""
        raise NotImplementedError

    def decode(self, h_BD: Tensor) -> Tensor:
        """The stem that an embedding stands for."""
        raise NotImplementedError

    def corrupt(
        self, stem: Tensor, generator: torch.Generator, *, noise: float, mask: float
    ) -> Tensor:
        """A noisy stem of which parts are hidden.

        Args:
            stem: What `stem` gave.
            generator: Source of random choices.
            noise: Standard deviation of the noise that is added.
            mask: Probability with which a part is hidden.
        """
        raise NotImplementedError

    def hide(
        self, stem: Tensor, generator: torch.Generator, *, time: float, channels: float
    ) -> tuple[Tensor, Tensor]:
        """A stem of which spans of time and whole channels are hidden, and what is (a mask).

        Args:
            stem: What `stem` gave.
            generator: Source of random choices.
            time: Share of the steps hidden.
            channels: Probability with which a channel is hidden.
        """
        raise NotImplementedError

    def reorder(self, inputs: TensorInputs, generator: torch.Generator) -> TensorInputs:
        """The inputs with their steps out of order."""
        raise NotImplementedError

    def augment(self, inputs: TensorInputs, generator: torch.Generator) -> TensorInputs:
        """One view of the inputs; two calls give two."""
        raise NotImplementedError

    def project(self, h_BD: Tensor) -> Tensor:
        """Unit vectors `[B, P]`, p / ||p||, in which views are compared."""
        raise NotImplementedError

    def past(self, inputs: TensorInputs) -> TensorInputs:
        """The inputs as they were one event earlier."""
        raise NotImplementedError

    def predict(self, h_BD: Tensor) -> Tensor:
        """The `newest` that comes after inputs of this embedding."""
        raise NotImplementedError

    def newest(self, inputs: TensorInputs) -> Tensor:
        """The newest event of the inputs, `[B, ...]`."""
        raise NotImplementedError


def lacking(network: type[Network], needs: Iterable[str]) -> list[str]:
    """Those of `needs` that a class of networks does not have, sorted."""
    return sorted(name for name in needs if getattr(network, name) is getattr(Network, name))
