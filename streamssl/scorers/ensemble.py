"""All scorers of an event together: distances, fusion, calibration, incidents.

`read` judges events with what was learned in past epochs and changes nothing; `write` moves the
per-event state (open incidents) on; `learn` takes an epoch's rows.

B = events, A = explained events, P = parts, S = scorers, R = residuals, D = embedding size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from streamssl.alerts.budget import AlertBudget
from streamssl.alerts.calibration import Calibration
from streamssl.alerts.incidents import START, Incidents, IncidentStep
from streamssl.config.budget import parse_budget
from streamssl.config.sections import AlertsConfig, ScorersConfig
from streamssl.data.columns import Columns
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns
from streamssl.scorers import SCORERS, attribution
from streamssl.scorers.base import (
    FITTED_ROWS,
    SMALLEST,
    Admitted,
    Core,
    Measured,
    Scorer,
    ScorerSizes,
    Seen,
)
from streamssl.scorers.gate import Gate
from streamssl.scorers.memory import MemoryScorer
from streamssl.scorers.own_keys import OwnKeys


@dataclass(frozen=True, slots=True)
class Scored(Columns):
    """Judged events; kept until the epoch ends, then learned.

    Attributes:
        seen: What the scorers looked at.
        event_time_B: Seconds.
        scores_BS: Raw score of each scorer that is switched on, in the order of `SCORERS`.
        raw_B: Fused.
        p_B: Calibrated.
        fitted_B: Whether the scorers were ready.
        warming_B: Whether the score is too young for alerts.
        anomaly_B: Whether the score passed the threshold.
        incident_state_B: Index into `INCIDENT_STATES`.
    """

    seen: Seen[Any]
    event_time_B: FloatArray
    scores_BS: FloatArray
    raw_B: FloatArray
    p_B: FloatArray
    fitted_B: BoolArray
    warming_B: BoolArray
    anomaly_B: BoolArray
    incident_state_B: IntArray

    @property
    def slots(self) -> IntArray:
        """`[B]` slot of each event's key."""
        return self.seen.measured.slot_B


class Ensemble:
    """Scorers, their fusion, calibration and the alert layer.

    Args:
        core: The modality's own scorer.
        core_name: Of its column among the raw scores.
        sizes: What the shared scorers are built for.
        scorers, alerts: Their sections of the configuration.
    """

    def __init__(
        self,
        *,
        core: Core[Any],
        core_name: str,
        sizes: ScorerSizes,
        scorers: ScorersConfig,
        alerts: AlertsConfig,
    ) -> None:
        shared = {name: kind.build(scorers, sizes) for name, kind in SCORERS.items()}
        self.core, self._num_parts = core, sizes.num_parts
        self.scorers: dict[str, Scorer] = {core_name: core, **shared}
        self.memory = cast(MemoryScorer, shared["memory"])
        sections = {core_name: scorers.core} | {name: getattr(scorers, name) for name in SCORERS}
        self.names = tuple(name for name in self.scorers if sections[name].enabled)
        weight_S = np.array([sections[name].weight for name in self.names])
        self.weight_S = weight_S / max(weight_S.sum(), 1e-300)
        self.calibration = Calibration(
            calibration_memory=alerts.calibration_memory,
            calibration_warmup=alerts.calibration_warmup,
        )
        self.incidents = Incidents(incident_gap=alerts.incident_gap)
        # Age of a key up to which its context is not wholly of this stream.
        self.bridged = KeyColumns(until=((), np.int64, 0))
        budget = parse_budget(alerts.budget)
        self.own = OwnKeys(own_keys=scorers.own_keys)
        self.gate = Gate(**scorers.gate.model_dump())
        # These learn even where they are switched off: the core gates, the memory names
        # neighbours. Without embeddings there is nothing to remember.
        self._always = (core_name, "memory") if sizes.embedding else (core_name,)
        self.budget = AlertBudget(share=budget.share, per_day=budget.per_day)

    def measure(self, slot_B: IntArray, context: Any) -> Measured:
        """What the core says of events in their context, without a network; changes nothing."""
        return self.core.measure(context, self.own.columns["entry"][slot_B])

    def read(
        self,
        measured: Any,
        residual_BR: Float32Array,
        embedding_BD: Float32Array,
        position_B3: IntArray,
        event_time_B: FloatArray,
    ) -> tuple[Scored, IncidentStep]:
        """Judge events (each key's in order) that `measure` measured; changes nothing.

        raw = exp(sum_s w_s ln max(r_s, .001)) over the scorers' raw scores r, sum_s w_s = 1.
        """
        seen = Seen(position_B3, measured, residual_BR, embedding_BD)
        scores_BS = np.stack([self.scorers[name].score(seen) for name in self.names], axis=1)
        raw_B = np.exp(np.log(np.maximum(scores_BS, SMALLEST)) @ self.weight_S)
        p_B = self.calibration.p_value(measured.slot_B, raw_B)
        learnt_B = self.gate.columns["learnt"][measured.slot_B] >= FITTED_ROWS
        fitted_B = self.core.fitted(measured) & learnt_B
        warming_B = ~(fitted_B & self.calibration.ready(measured.slot_B))
        warming_B |= measured.age_B < self.bridged["until"][measured.slot_B]
        anomaly_B = (p_B <= self.budget.threshold()) & ~warming_B
        step = self.incidents.read(measured.slot_B, measured.age_B, anomaly_B, position_B3[:, 1:])
        scored = Scored(
            seen, event_time_B, scores_BS, raw_B, p_B, fitted_B, warming_B, anomaly_B, step.state_B
        )
        return scored, step

    def num_warming(self, slots: IntArray) -> int:
        """How many of these keys have learnt or calibrated too few scores for alerts."""
        learnt = self.gate.columns["learnt"][slots] >= FITTED_ROWS
        return int((~(learnt & self.calibration.ready(slots))).sum())

    def carry(self, slots: IntArray, until_K: IntArray) -> None:
        """Let keys go on in another stream: without their incidents, warming up to an age."""
        self.incidents.columns.clear(slots)
        self.bridged["until"][slots] = until_K

    def admit(self, rows: Scored) -> Admitted:
        """Which of an epoch's rows, in (partition, offset, index) order, may be learned."""
        measured, entry_K = rows.seen.measured, self.own.columns["entry"]
        owned = entry_K.copy()
        assigned = self.own.assign(measured.slot_B)
        moved = np.unique(entry_K[(entry_K != owned) & (entry_K > 0)])
        learn_B = self.gate.learn(measured.slot_B, measured.evidence_BV[:, 0])
        own_B = entry_K[measured.slot_B]
        return Admitted(learn_B, own_B, moved, assigned, self.own.num_entries)

    def learn(
        self, rows: Scored, admitted: Admitted, passed_s: float, generator: np.random.Generator
    ) -> None:
        """Learn an epoch's rows that were admitted; calibration and budget learn all.

        Args:
            rows: In (partition, offset, index) order.
            admitted: What `admit` said of them.
            passed_s: Event time since the epoch before, in seconds.
            generator: Source of random choices.
        """
        for scorer in self._learning():
            scorer.learn(rows.seen, admitted, generator)
        self.calibration.learn(rows.slots[rows.fitted_B], rows.raw_B[rows.fitted_B])
        started = int((rows.incident_state_B == START).sum())
        self.budget.learn(passed_s, rows.anomaly_B, started)

    def _learning(self) -> list[Scorer]:
        named = self.scorers.items()
        return [s for name, s in named if name in self.names or name in self._always]

    def attribution(self, scored: Scored) -> FloatArray:
        """`[A, P]` sum_s w_s c_sp over the fused scorers, as shares of the parts."""
        total_AP = np.zeros((len(scored.seen), self._num_parts))
        for name, weight in zip(self.names, self.weight_S.tolist(), strict=True):
            if weight > 0.0:
                total_AP += weight * self.scorers[name].contributions(scored.seen)
        return attribution.as_shares(total_AP)

    def per_key(self) -> list[KeyColumns]:
        """The per-key columns of all scorers and of the alert layer."""
        own = [columns for scorer in self.scorers.values() for columns in scorer.per_key()]
        layers = (self.gate, self.own, self.calibration, self.incidents)
        return [*own, *(layer.columns for layer in layers), self.bridged]

    def bytes_per_own_key(self) -> int:
        """Bytes that a key takes more where it owns an entry."""
        return sum(scorer.bytes_per_own_key() for scorer in self._learning())

    def state_dict(self) -> dict[str, Any]:
        """The scorers by name, and the layers around them, open incidents included."""
        scorers = {name: scorer.state_dict() for name, scorer in self.scorers.items()}
        return {"scorers": scorers} | {name: getattr(self, name).state_dict() for name in LAYERS}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state under the same scorers."""
        for name, scorer in self.scorers.items():
            scorer.load_state_dict(state["scorers"][name])
        for name in LAYERS:
            getattr(self, name).load_state_dict(state[name])


LAYERS = ("gate", "own", "calibration", "incidents", "bridged", "budget")
