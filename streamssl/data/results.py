"""What comes out: the scores of a batch, and what closing an epoch decided and did.

Shape suffixes: A = explained events, B = events, N = numbers, P = parts, D = embedding size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from streamssl.data.as_table import AsTable, NamedValues
from streamssl.data.columns import Columns, take_rows
from streamssl.data.drift import Drift
from streamssl.data.events import BoolArray, EventBatch, Float32Array, FloatArray, IntArray
from streamssl.data.incident_records import IncidentRecords
from streamssl.data.spaces import SpaceOpening

SEVERITIES = ("none", "low", "medium", "high", "critical")
WARMING = ("new", "blended", "own")
NEW, BLENDED, OWN = range(len(WARMING))
INCIDENT_STATES = ("none", "start", "ongoing", "end", "accepted", "muted")


@dataclass(frozen=True, slots=True)
class Values(NamedValues):
    """What some fields of explained events are, or should be: numbers or texts.

    Attributes:
        fields: Names of the N numbers.
        numbers_AN: `[A, N]` in the input's units, NaN = missing or unknown.
        texts: per event, the fields that are no numbers; None = missing or unknown.
    """

    fields: tuple[str, ...]
    numbers_AN: FloatArray
    texts: list[dict[str, str | None]]

    def __post_init__(self) -> None:
        shape = (len(self.texts or ()), len(self.fields))
        if self.texts is None or self.numbers_AN.shape != shape:
            raise ValueError(
                f"numbers of shape {self.numbers_AN.shape} need the names of as many fields, and "
                "one mapping of texts an event: {} where there are none"
            )


@dataclass(frozen=True, slots=True)
class Explanation(Columns):
    """Why events are anomalies: one row each, in the batch's order.

    Attributes:
        attribution_AP: `[A, P]` share per part, >= 0, each row sums to 1.
        expected: What the model expected.
        expected_low_AN, expected_high_AN: Numbers between which one alone would have been no
            anomaly, at the budget's level; NaN = unknown.
        actual: What came; a part need not be a field, nor a field a part.
        neighbours: ids of the nearest past events of the same stream, nearest first.
    """

    attribution_AP: FloatArray
    expected: Values
    expected_low_AN: FloatArray
    expected_high_AN: FloatArray
    actual: Values
    neighbours: list[list[str]]


@dataclass(frozen=True, slots=True)
class Results(AsTable):
    """What is published for a batch: one row an event, in the batch's order.

    `to_pandas` and `to_arrow` give it as a table, with names in place of numbers.

    Attributes:
        batch: The events themselves.
        parts: What scores are shared out to: channels, fields or cells of a frame.
        epoch: Epoch of the model that scored them.
        score: `[B]` 1 - p_value.
        p_value: `[B]` in (0, 1], strictly decreasing in `raw` for one key.
        raw: `[B]` fused raw score, >= 0.
        threshold: `[B]` score from which an event is an anomaly.
        anomaly: `[B]` True where the score passed the threshold and the key is not `new`.
        severity: `[B]` index into `SEVERITIES`.
        incident_id: per event, None outside incidents.
        incident_state: `[B]` index into `INCIDENT_STATES`.
        incident_field: `[B]` index of the part that the incident's first anomalies name the most,
            -1 outside incidents.
        warming: `[B]` index into `WARMING`: `new` while nothing may be an anomaly, `blended` while
            the scores of a mature fleet judge the key, then `own`.
        top_field: `[B]` index of the part that contributes most to the score.
        raw_scores: One `[B]` column a scorer.
        explained: `[A]` rows (indices into the batch) that carry an explanation: the anomalies.
        explanation: Of those.
        embedding_BD: `[B, D]` float32 from the teacher.
        space: Name of the embedding space.
        opening: Why and how that space began; None where it is provisional, and without networks.
        drifts: What drifted, as the epoch before ended.
        incidents: What is told of incidents at some of the rows.
    """

    batch: EventBatch
    parts: tuple[str, ...]
    epoch: int
    score: FloatArray
    p_value: FloatArray
    raw: FloatArray
    threshold: FloatArray
    anomaly: BoolArray
    severity: IntArray
    incident_id: list[str | None]
    incident_state: IntArray
    incident_field: IntArray
    warming: IntArray
    top_field: IntArray
    raw_scores: Mapping[str, FloatArray]
    explained: IntArray
    explanation: Explanation
    embedding_BD: Float32Array
    space: str
    opening: SpaceOpening | None = None
    drifts: tuple[Drift, ...] = ()
    incidents: IncidentRecords = field(default_factory=IncidentRecords.empty)

    coded: ClassVar = {
        "severity": SEVERITIES,
        "incident_state": INCIDENT_STATES,
        "warming": WARMING,
    }

    def take(self, rows: Any) -> Results:
        """The rows that an ascending index array, mask or slice picks."""
        place_B = np.full(len(self.batch), -1)
        place_B[rows] = np.arange(len(place_B[rows]))
        kept = np.flatnonzero(place_B[self.explained] >= 0)
        columns = {f.name: take_rows(getattr(self, f.name), rows) for f in fields(self)}
        columns["explained"] = place_B[self.explained[kept]]
        columns["explanation"] = self.explanation.take(kept)
        told = np.flatnonzero(place_B[self.incidents.row_I] >= 0)
        records = (
            self.incidents.take(told) if len(told) < len(self.incidents.row_I) else (self.incidents)
        )
        columns["incidents"] = replace(records, row_I=place_B[records.row_I])
        return Results(**columns)

    @classmethod
    def concat(cls, tables: Sequence[Results]) -> Results:
        """Results of consecutive batches; what holds for all is the last's, drifts those of all."""
        begins = np.cumsum([0, *(len(table.batch) for table in tables[:-1])])
        drifts = tuple(dict.fromkeys(drift for table in tables for drift in table.drifts))
        moved = [
            replace(
                table,
                explained=table.explained + begin,
                drifts=drifts,
                incidents=replace(table.incidents, row_I=table.incidents.row_I + begin),
            )
            for table, begin in zip(tables, begins, strict=True)
        ]
        return super(Results, cls).concat(moved)

    def told_incidents(self) -> list[dict[str, Any]]:
        """One mapping a record of an incident, as the topic `<app>.incidents` has it.

        Numbers that do not exist are None; `docs/outputs.md` says what each is.
        """
        rows = self.incidents.row_I
        states = [INCIDENT_STATES[state] for state in self.incident_state[rows].tolist()]
        return self.incidents.rows(self.batch.take(rows), states, self.parts, SEVERITIES)


# The embedding space until the first training burst is over, and where there are no networks.
PROVISIONAL, NO_SPACE = "provisional", "none"


class Decisions(NamedTuple):
    """What was decided when an epoch closed; with its rows it determines the next state.

    Attributes:
        reason: `count` (the epoch was full), `clock` (`learn.max_wait_s` passed) or `end` (a
            file ended).
        learn_rate: Share of the epoch's rows offered to the optimiser (1.0 unless lag thins
            learning); which ones follows from a hash of the event id and the epoch.
        backlog: Whether the next epoch's input waited already: a burst is cut into smaller slices.
    """

    reason: str = "count"
    learn_rate: float = 1.0
    backlog: bool = False


class Spread(NamedTuple):
    """How far the embeddings of recent inputs are spread: a collapse shows here, not in the loss.

    Attributes:
        effective_rank: Dimensions that they use; NaN before training.
        min_standard_deviation: The smallest of a dimension; NaN before training.
    """

    effective_rank: float = float("nan")
    min_standard_deviation: float = float("nan")


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What closing an epoch did, for metrics and logs; what drifted, as a reason to solve anew.

    Attributes:
        num_events: Rows of the epoch.
        num_learnt: Rows that the statistics learned (not gated).
        num_trained: Rows (fresh and replayed) that optimiser steps learned from.
        keys_warming: Keys, of `keys_active`, that are `new`: nothing may be an anomaly yet.
        keys_muted: Keys that spent all tokens of their budget: nothing opens until some come back.
        num_rebased: Shifts that were accepted: levels that keys are compared with from now on.
        is_timeless: Whether a budget of incidents a day cannot be kept: event time stands still.
        losses: Last loss of each objective.
        burst_step: Steps of the first training burst that were taken so far.
        burst_steps: All of that burst; 0 without networks.
        drifts: What drifted, as far as this epoch shows it.
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
    keys_warming: int = 0
    keys_evicted: int = 0
    replay_records: int = 0
    replay_bytes: int = 0
    gradient_norm: float = float("nan")
    warmup_progress: float = 0.0
    alert_rate: float = 0.0
    keys_muted: int = 0
    num_rebased: int = 0
    is_timeless: bool = False
    losses: Mapping[str, float] = field(default_factory=dict)
    burst_step: int = 0
    burst_steps: int = 0
    drifts: tuple[Drift, ...] = ()
