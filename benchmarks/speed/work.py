"""Operations and bytes of every stage per event, counted from what a configuration builds.

Counted is what the arithmetic needs, not what an implementation happens to do: products of
matrices (two operations a multiply-add) and the columns that must be read and written once.
Additions, exponentials and everything per batch are left out, so a floor is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.speed.results import Machine
from benchmarks.speed.sizes import ModelSizes, sizes_of
from streamssl.arithmetic.histogram import NUM_BINS
from streamssl.config.root import Config
from streamssl.learner.tiles import TILE
from streamssl.scorers.gaussian_bank import REFRESH_MAX
from streamssl.stream.rows import CHUNK_ROWS

_FLOAT = 4
_JOURNAL_BYTES = 200
_TRAINING = 3  # a training pass costs about three forward passes


@dataclass(frozen=True, slots=True)
class Work:
    """What one event costs a stage at least.

    Attributes:
        operations: In matrix products, float32.
        num_bytes: Bytes read and written.
    """

    operations: float = 0.0
    num_bytes: float = 0.0

    def floor_s(self, machine: Machine) -> float:
        """Seconds that the machine needs at least: operations or bytes, whichever is slower."""
        operating_s = self.operations / machine.operations_per_s
        return max(operating_s, self.num_bytes / machine.bytes_per_s)

    def how(self, machine: Machine) -> str:
        """In words, how the floor was computed."""
        bytes_s = self.num_bytes / machine.bytes_per_s
        if self.floor_s(machine) > bytes_s:
            return f"{_thousands(self.operations)} operations over the matrix rate"
        return f"{_thousands(self.num_bytes)}B over the bandwidth"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Sizes that only the stream itself can tell.

    Attributes:
        in_bytes: Of one input message.
        out_bytes: Of one event's outputs, keys and headers included.
        state_bytes: Of one checkpoint.
    """

    in_bytes: float
    out_bytes: float
    state_bytes: float = 0.0


def stage_work(
    config: Config, num_channels: int, num_keys: int, traffic: Traffic
) -> dict[str, Work]:
    """What each stage of the journey costs per event at least, by name."""
    sizes = sizes_of(config, num_channels)
    row_bytes = _FLOAT * num_channels
    lagged = sizes.gaussians["lagged"]
    per_checkpoint = 2.0 * traffic.state_bytes / config.checkpoint.every_events
    return {
        "poll": Work(num_bytes=traffic.in_bytes),
        "decode": Work(num_bytes=traffic.in_bytes + row_bytes),
        "context": Work(num_bytes=2 * _FLOAT * sizes.values),
        "inputs": Work(num_bytes=2 * _FLOAT * sizes.values + 2 * row_bytes),
        "embed": _embed(sizes),
        "score": _score(sizes, num_channels),
        "calibrate": Work(num_bytes=2 * _FLOAT * NUM_BINS),
        "attribute": Work(operations=2.0 * lagged**2, num_bytes=2 * _FLOAT * lagged),
        "encode": Work(num_bytes=_FLOAT * 16 + traffic.out_bytes),
        "publish": Work(num_bytes=traffic.out_bytes),
        "journal": Work(num_bytes=_JOURNAL_BYTES / config.delivery.max_events),
        "learn": _learn(config, sizes, num_keys),
        "checkpoint": Work(num_bytes=per_checkpoint),
    }


def total_operations(config: Config, num_channels: int, num_keys: int) -> float:
    """Operations of one event in all."""
    stages = stage_work(config, num_channels, num_keys, Traffic(in_bytes=0.0, out_bytes=0.0))
    return sum(work.operations for work in stages.values())


def _embed(sizes: ModelSizes) -> Work:
    """The teacher's embedding and the readout of its residuals; weights are read once a tile."""
    if not sizes.infer:
        return Work()
    weights = _FLOAT * sizes.infer / 2 / TILE
    return Work(sizes.infer, weights + _FLOAT * (sizes.read + sizes.outputs))


def _score(sizes: ModelSizes, num_channels: int) -> Work:
    """Leaky units, windows, and each Gaussian's distance; a covariance is read once a chunk."""
    covariances = sum(size**2 for size in sizes.gaussians.values())
    units = 2.0 * num_channels * sizes.gaussians["leaky"]
    return Work(
        operations=2.0 * covariances + units + sizes.shapes,
        num_bytes=2 * _FLOAT * sizes.features + _FLOAT * covariances / CHUNK_ROWS,
    )


def _learn(config: Config, sizes: ModelSizes, num_keys: int) -> Work:
    """Covariances, their factorisations, and the optimiser's steps."""
    owned = min(1.0, config.scorers.own_keys / num_keys)
    per_row = sum(2.0 * size**2 + size**3 / REFRESH_MAX for size in sizes.gaussians.values())
    return Work(
        operations=_training(config, sizes) + (1.0 + owned) * per_row,
        num_bytes=2 * _FLOAT * sizes.features,
    )


def _training(config: Config, sizes: ModelSizes) -> float:
    """Operations of upkeep per event; the first burst is not counted."""
    if not config.learn.enabled:
        return 0.0
    objectives = config.objectives
    passes = 1.0 * (objectives.autoencoder.weight > 0)
    if objectives.next_step.weight > 0:
        passes += 1.0 / objectives.next_step.every
    if objectives.moco.weight > 0:
        share = min(1.0, objectives.moco.samples / config.learn.upkeep_batch)
        passes += 2.0 * share / objectives.moco.every
    return config.learn.samples_per_event * _TRAINING * passes * sizes.forward


def _thousands(value: float) -> str:
    """A count for a person.

    Example:
        >>> _thousands(12_345.0)
        '12.3 k'
    """
    return f"{value / 1e3:.1f} k" if value >= 1e3 else f"{value:.1f} "
