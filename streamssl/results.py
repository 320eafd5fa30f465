"""What comes out: the scores of a batch, and what closing an epoch decided and did.

Shape suffixes: A = explained events, B = events, C = channels, D = embedding size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from streamssl.events import BoolArray, EventBatch, Float32Array, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Results:
    """What is published for a batch: one row an event, in the batch's order.

    Attributes:
        batch: The events themselves.
        epoch: Epoch of the model that scored them.
        score: `[B]` 1 - p_value.
        p_value: `[B]` in (0, 1], strictly decreasing in `raw` for one key.
        raw: `[B]` fused raw score, >= 0.
        threshold: `[B]` score from which an event is an anomaly.
        anomaly: `[B]` True where the score passed the threshold and the key is not warming.
        severity: `[B]` index into `SEVERITIES`.
        incident_id: per event, None outside incidents.
        incident_state: `[B]` index into `INCIDENT_STATES`.
        warming: `[B]` True until the key's scorer is fitted and calibrated.
        top_field: `[B]` index of the channel that contributes most to the score.
        raw_scores: One `[B]` column a scorer.
        explained: `[A]` rows (indices into the batch) that carry an explanation: the anomalies.
        attribution_AC: `[A, C]` share per channel, >= 0, each row sums to 1.
        expected_AC: `[A, C]` value that the model expected, in the input's units.
        neighbours: `[A]` ids of the nearest past events of the same stream, nearest first.
        embedding_BD: `[B, D]` float32 from the teacher.
        space: Name of the embedding space.
    """

    batch: EventBatch
    epoch: int
    score: FloatArray
    p_value: FloatArray
    raw: FloatArray
    threshold: FloatArray
    anomaly: BoolArray
    severity: IntArray
    incident_id: list[str | None]
    incident_state: IntArray
    warming: BoolArray
    top_field: IntArray
    raw_scores: Mapping[str, FloatArray]
    explained: IntArray
    attribution_AC: FloatArray
    expected_AC: FloatArray
    neighbours: list[list[str]]
    embedding_BD: Float32Array
    space: str


SEVERITIES = ("none", "low", "medium", "high", "critical")
INCIDENT_STATES = ("none", "start", "ongoing", "end")
# The embedding space until the first training burst is over, and where there are no networks.
PROVISIONAL, NO_SPACE = "provisional", "none"


class Decisions(NamedTuple):
    """What was decided when an epoch closed; with its rows it determines the next state.

    Attributes:
        reason: `count` (the epoch was full), `clock` (`learn.max_wait_s` passed) or `end` (a
            file ended).
        learn_rate: Share of the epoch's rows offered to the optimiser (1.0 unless lag thins
            learning); which ones follows from a hash of the event id and the epoch.
        hurried: Whether the next epoch's input waited already: a burst is cut into smaller slices.
    """

    reason: str = "count"
    learn_rate: float = 1.0
    hurried: bool = False


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What closing an epoch did; for metrics and logs, never fed back.

    Attributes:
        num_events: Rows of the epoch.
        num_learnt: Rows that the statistics learned (not gated).
        num_trained: Rows (fresh and replayed) that optimiser steps learned from.
        losses: Last loss of each objective.
    """

    epoch: int
    num_events: int
    num_learnt: int = 0
    num_gated: int = 0
    num_thinned: int = 0
    num_trained: int = 0
    num_steps: int = 0
    num_steps_nonfinite: int = 0
    keys_active: int = 0
    keys_evicted: int = 0
    replay_records: int = 0
    replay_bytes: int = 0
    gradient_norm: float = float("nan")
    effective_rank: float = float("nan")
    min_standard_deviation: float = float("nan")
    warmup_progress: float = 0.0
    alert_rate: float = 0.0
    losses: Mapping[str, float] = field(default_factory=dict)
