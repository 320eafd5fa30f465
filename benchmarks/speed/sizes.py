"""The sizes of what the product builds for a configuration: its networks and its statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from streamssl.config.root import Config
from streamssl.data.events import Schema
from streamssl.data.spaces import NETWORK, VectorSlice
from streamssl.modalities.sensor.core import SensorCore
from streamssl.modalities.sensor.modality import SensorModality
from streamssl.modalities.sensor.windows import SensorWindows
from streamssl.scorers import ScorerSizes
from streamssl.scorers.residual import ResidualScorer
from streamssl.scorers.window import WindowScorer


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """Taken from the modality, its network and its scorers, once they are built.

    Attributes:
        values: Of one event's network inputs, in training.
        read: Of what is read to embed one event.
        outputs: Of the networks for one event: embedding and residuals.
        infer: Operations of one event's embedding and residuals; 0 without networks.
        forward: Operations of one sample on its way through encoder and decoder; 0 likewise.
        gaussians: Features of every Gaussian that scores an event, by name.
        shapes: Operations that tell what the usual shapes leave of one event's window.
    """

    values: int
    read: int
    outputs: int
    infer: float
    forward: float
    gaussians: Mapping[str, int]
    shapes: float

    @property
    def features(self) -> int:
        """Features of all Gaussians together."""
        return sum(self.gaussians.values())


def sizes_of(config: Config, num_channels: int) -> ModelSizes:
    """Build everything once, and look."""
    fields = tuple(f"c{channel}" for channel in range(num_channels))
    modality = SensorModality.build(config, Schema(fields))
    embedding = config.learner.embedding if config.learner.enabled else 0
    infer, forward = _network_operations(config, modality) if embedding else (0.0, 0.0)
    sizes = ScorerSizes(
        num_parts=num_channels,
        num_residuals=modality.num_residuals,
        slices=(VectorSlice(NETWORK, 0, embedding),),
        seed=config.app.seed,
        block_sizes=modality.block_sizes,
    )
    return ModelSizes(
        values=sum(array.size for array in _windows(modality)[slice(1)].values()),
        read=sum(array.size for array in _windows(modality).for_inference(slice(1)).values()),
        outputs=embedding + modality.num_residuals if embedding else 0,
        infer=infer,
        forward=forward,
        gaussians=_gaussians(config, modality, sizes),
        shapes=_shapes(config, sizes),
    )


def operations_of(work: Callable[[], object]) -> float:
    """Operations of the matrix products in a call, two a multiply-add.

    Example:
        >>> operations_of(lambda: torch.ones(2, 3) @ torch.ones(3, 4))
        48.0
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        work()
    return float(counted.get_total_flops())


def _network_operations(config: Config, modality: SensorModality) -> tuple[float, float]:
    network = modality.network(config.learner)
    readout = network.readout()
    windows, only = _windows(modality), slice(1)
    inputs, read = (
        {name: torch.from_numpy(array) for name, array in arrays.items()}
        for arrays in (windows[only], windows.for_inference(only))
    )
    return (
        operations_of(lambda: network.infer(read, readout)),
        operations_of(lambda: network.decode(network.encode(inputs))),
    )


def _windows(modality: SensorModality) -> SensorWindows:
    """One window of zeros."""
    z_LC = np.zeros((modality.window, len(modality.parts)), np.float32)
    place_B = np.array([modality.window - 1])
    return SensorWindows(z_LC, place_B, modality.window, sizes=modality.sizes)


def _gaussians(config: Config, modality: SensorModality, sizes: ScorerSizes) -> dict[str, int]:
    assert isinstance(modality.core, SensorCore)
    found = {name: bank.num_features for name, bank in modality.core.gaussians.banks.items()}
    window = WindowScorer.build(config.scorers, sizes)
    if config.scorers.window.enabled and window.basis is not None:
        found["window"] = window.bank.num_features
    if config.scorers.residual.enabled:
        found["residual"] = ResidualScorer.build(config.scorers, sizes).bank.num_features
    return found


def _shapes(config: Config, sizes: ScorerSizes) -> float:
    basis = WindowScorer.build(config.scorers, sizes).basis
    if not config.scorers.window.enabled or basis is None:
        return 0.0
    num_features, rank = basis.basis_FQ.shape
    return 2.0 * rank * (num_features + basis.num_residuals)
