"""What the live view shows: the reader's figures beside the daemon's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from streamssl.demo.incidents import Evaluation, Incident, Judgement
from streamssl.devkit.exposition import samples, total

NAN = float("nan")
Phase = Literal["starting", "history", "live", "draining"]


@dataclass(frozen=True, slots=True)
class DaemonFigures:
    """What the daemon says of itself on `/metrics`; NaN: not said yet."""

    lag: float = NAN
    learn_steps: float = 0.0
    effective_rank: float = NAN
    replay_fill: float = NAN
    warmup: float = NAN
    losses: Mapping[str, float] = field(default_factory=dict)


def read_figures(exposition: str, replay_max_bytes: int) -> DaemonFigures:
    """Pick the figures out of a Prometheus exposition.

    Example:
        >>> read_figures('streamssl_loss{objective="moco"} 2.5', 100).losses
        {'moco': 2.5}
    """
    return DaemonFigures(
        lag=total(exposition, "input_lag_records", NAN),
        learn_steps=total(exposition, "learn_steps_total", outcome="applied"),
        effective_rank=total(exposition, "embedding_effective_rank", NAN),
        replay_fill=total(exposition, "replay_buffer_bytes", NAN) / replay_max_bytes,
        warmup=total(exposition, "warmup_progress_ratio", NAN),
        losses={labels["objective"]: value for labels, value in samples(exposition, "loss")},
    )


@dataclass(frozen=True, slots=True)
class TrafficFigures:
    """What the producer was acknowledged, and the reader received.

    Attributes:
        produced: Events in the input.
        scored: Of them, those with a result.
        per_s: Results received per second, lately.
        latency_p50_s: Append to receipt, lately.
        latency_p99_s: The same, the slowest of a hundred.
    """

    produced: int = 0
    scored: int = 0
    per_s: float = NAN
    latency_p50_s: float = NAN
    latency_p99_s: float = NAN


@dataclass(frozen=True, slots=True)
class RunState:
    """One moment of a run.

    Attributes:
        elapsed_s: Seconds since the daemon was started.
        traffic: The reader's figures.
        daemon: The daemon's own.
        origin: Event time at which the live part began.
        stream_time: Event time of the newest result.
        grace_s: Seconds after a fault in which it may still be caught.
        incidents: All incidents so far.
        evaluation: Faults so far, each with the incident that caught it.
    """

    phase: Phase
    elapsed_s: float
    traffic: TrafficFigures
    daemon: DaemonFigures
    origin: float
    stream_time: float
    grace_s: float
    incidents: tuple[Incident, ...] = ()
    evaluation: Evaluation = field(default_factory=Evaluation)

    def outcome(self, judgement: Judgement) -> str:
        """What became of a fault, in one or two words."""
        fault, incident = judgement.fault, judgement.incident
        if incident is None:
            return "missed" if self.stream_time > fault.end + self.grace_s else "watching"
        if judgement.top_field_correct:
            return "caught"
        return f"caught, blamed {incident.top_field}"
