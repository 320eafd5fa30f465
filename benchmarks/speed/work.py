"""Operations and bytes of every stage per event, counted from the configuration.

Counted is what the arithmetic needs, not what an implementation happens to do: products of
matrices (two operations a multiply-add) and the columns that must be read and written once.
Additions, exponentials and everything per batch are left out, so a floor is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.speed.results import Machine
from benchmarks.speed.sizes import LEAKY_UNITS, Sizes, sizes_of
from streamssl.config.root import Config

_FLOAT = 4
_BINS = 320
_TILE = 128  # rows that share one reading of the networks' weights
_CHUNK = 1_024  # rows that share one reading of a shared covariance
_JOURNAL_BYTES = 200
_REFRESH_ROWS = 512  # learnt rows between two factorisations of a covariance
_BACKWARD = 3  # a training pass costs about three forward passes


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
    vectors = sum(sizes.features)
    row_bytes = _FLOAT * num_channels
    per_checkpoint = 2.0 * traffic.state_bytes / config.checkpoint.every_events
    return {
        "poll": Work(num_bytes=traffic.in_bytes),
        "decode": Work(num_bytes=traffic.in_bytes + row_bytes),
        "window": Work(num_bytes=2 * _FLOAT * sizes.values),
        "normalise": Work(num_bytes=2 * _FLOAT * sizes.values + 2 * _FLOAT * num_channels),
        "embed": _embed(config, sizes),
        "score": _score(config, sizes),
        "calibrate": Work(num_bytes=2 * _FLOAT * _BINS),
        "attribute": Work(
            operations=2.0 * sizes.features[1] ** 2, num_bytes=2 * _FLOAT * sizes.features[1]
        ),
        "encode": Work(num_bytes=_FLOAT * 16 + traffic.out_bytes),
        "publish": Work(num_bytes=traffic.out_bytes),
        "journal": Work(num_bytes=_JOURNAL_BYTES / config.delivery.max_events),
        "learn": _learn(config, sizes, num_keys, vectors),
        "checkpoint": Work(num_bytes=per_checkpoint),
    }


def total_operations(config: Config, num_channels: int, num_keys: int) -> float:
    """Operations of one event in all."""
    stages = stage_work(config, num_channels, num_keys, Traffic(in_bytes=0.0, out_bytes=0.0))
    return sum(work.operations for work in stages.values())


def _embed(config: Config, sizes: Sizes) -> Work:
    """The teacher's embedding and the readout of its residuals."""
    passes = 2 if config.scorers.residual.next_step else 1
    readout = sizes.embedding * sizes.residuals
    weights = _FLOAT * (sizes.encoder + readout) / _TILE
    moved = _FLOAT * (sizes.values + sizes.embedding + sizes.residuals)
    return Work(operations=2.0 * (passes * sizes.encoder + readout), num_bytes=weights + moved)


def _score(config: Config, sizes: Sizes) -> Work:
    """Leaky units, and the distance to each Gaussian."""
    features = list(sizes.features)
    if config.scorers.residual.enabled:
        features.append(min(sizes.residuals, config.scorers.gaussian.max_features))
    distances = sum(2.0 * size**2 for size in features)
    moved = 2 * _FLOAT * sum(features) + _FLOAT * sum(size**2 for size in features) / _CHUNK
    return Work(operations=distances + 2.0 * sizes.channels * LEAKY_UNITS, num_bytes=moved)


def _learn(config: Config, sizes: Sizes, num_keys: int, vectors: int) -> Work:
    """Covariances, their factorisations, and the optimiser's steps."""
    features = list(sizes.features)
    if config.scorers.residual.enabled:
        features.append(min(sizes.residuals, config.scorers.gaussian.max_features))
    owned = min(1.0, config.scorers.gaussian.own_keys / num_keys)
    updates = (1.0 + owned) * sum(2.0 * size**2 for size in features)
    factors = sum(size**3 for size in features) * (1.0 + owned) / _REFRESH_ROWS
    return Work(
        operations=_training(config, sizes) + updates + factors,
        num_bytes=2 * _FLOAT * vectors,
    )


def _training(config: Config, sizes: Sizes) -> float:
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
    sample = 2.0 * _BACKWARD * passes * (sizes.encoder + sizes.decoder)
    return config.learn.samples_per_event * sample


def _thousands(value: float) -> str:
    """A count for a person.

    Example:
        >>> _thousands(12_345.0)
        '12.3 k'
    """
    return f"{value / 1e3:.1f} k" if value >= 1e3 else f"{value:.1f} "
