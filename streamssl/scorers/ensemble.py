"""All scorers of an event together: distances, fusion, calibration, incidents.

`read` judges events with what was learned in past epochs and changes nothing; `write` moves the
per-event state (open incidents) on; `learn` takes an epoch's rows.

B = events, C = channels, D = embedding size, F = features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from streamssl.columns import Columns
from streamssl.config.budget import parse_budget
from streamssl.config.sections import AlertsConfig, ScorersConfig
from streamssl.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.keys import KeyColumns
from streamssl.scorers import SCORERS, attribution
from streamssl.scorers.alerts import AlertBudget
from streamssl.scorers.base import SMALLEST, Admitted, Features, Measured, Scorer, Seen, Sizes
from streamssl.scorers.calibration import Calibration
from streamssl.scorers.gaussian import GaussianScorer
from streamssl.scorers.incidents import START, Incidents, IncidentStep
from streamssl.scorers.memory import MemoryScorer

# Learn even where they are switched off: the gate is the first's, neighbours are the second's.
ALWAYS_LEARNING = ("gaussian", "memory")


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
        warming_B: Whether the score is not to be trusted yet.
        anomaly_B: Whether the score passed the threshold.
        incident_state_B: Index into `INCIDENT_STATES`.
    """

    seen: Seen
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
        sizes: What the scorers are built for.
        scorers, alerts: Their sections of the configuration.
    """

    def __init__(self, *, sizes: Sizes, scorers: ScorersConfig, alerts: AlertsConfig) -> None:
        self.scorers = {name: SCORERS[name].build(scorers, sizes) for name in SCORERS}
        self.gaussian = cast(GaussianScorer, self.scorers["gaussian"])
        self.memory = cast(MemoryScorer, self.scorers["memory"])
        sections = {name: getattr(scorers, name) for name in SCORERS}
        self.names = tuple(name for name in SCORERS if sections[name].enabled)
        weight_S = np.array([sections[name].weight for name in self.names])
        self.weight_S = weight_S / max(weight_S.sum(), 1e-300)
        self.calibration = Calibration(
            calibration_memory=alerts.calibration_memory,
            calibration_warmup=alerts.calibration_warmup,
        )
        self.incidents = Incidents(incident_gap=alerts.incident_gap)
        budget = parse_budget(alerts.budget)
        # Without embeddings there is nothing to remember.
        self._always = ALWAYS_LEARNING if sizes.embedding else ALWAYS_LEARNING[:1]
        self.budget = AlertBudget(share=budget.share, per_day=budget.per_day)

    def measure(self, features: Features) -> Measured:
        """What needs no network; changes nothing."""
        return self.gaussian.core.measure(features)

    def read(
        self,
        features: Features,
        measured: Measured,
        residual_BR: Float32Array,
        embedding_BD: Float32Array,
        position_B3: IntArray,
        event_time_B: FloatArray,
    ) -> tuple[Scored, IncidentStep]:
        """Judge events (each key's in order) that `measure` measured; changes nothing."""
        newest_BC = features.recent_BNC[:, -1]
        seen = Seen(position_B3, newest_BC, measured, residual_BR, embedding_BD)
        scores_BS = np.stack([self.scorers[name].score(seen) for name in self.names], axis=1)
        raw_B = np.exp(np.log(np.maximum(scores_BS, SMALLEST)) @ self.weight_S)
        p_B = self.calibration.p_value(measured.slot_B, raw_B)
        fitted_B = self.gaussian.core.fitted(measured)
        warming_B = ~(fitted_B & self.calibration.ready(measured.slot_B))
        anomaly_B = (p_B <= self.budget.threshold()) & ~warming_B
        step = self.incidents.read(measured.slot_B, features.age_B, anomaly_B, position_B3[:, 1:])
        scored = Scored(
            seen, event_time_B, scores_BS, raw_B, p_B, fitted_B, warming_B, anomaly_B, step.state_B
        )
        return scored, step

    def admit(self, rows: Scored) -> Admitted:
        """Which of an epoch's rows, in (partition, offset, index) order, may be learned."""
        return self.gaussian.core.admit(rows.seen.measured)

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

    def expected(self, scored: Scored) -> FloatArray:
        """`[A, C]` newest values that the statistics expected, in the input's units."""
        return self.gaussian.explanation.expected(scored.seen.measured)

    def attribution(self, scored: Scored) -> FloatArray:
        """`[A, C]` shares of the channels, over all scorers that are fused."""
        total_AC = np.zeros_like(scored.seen.measured.center_BC)
        for name, weight in zip(self.names, self.weight_S.tolist(), strict=True):
            if weight > 0.0:
                total_AC += weight * self.scorers[name].contributions(scored.seen)
        return attribution.as_shares(total_AC)

    def per_key(self) -> list[KeyColumns]:
        """Every per-key column."""
        own = [columns for scorer in self.scorers.values() for columns in scorer.per_key()]
        return [*own, self.calibration.columns, self.incidents.columns]

    def bytes_per_own_key(self) -> int:
        """Bytes that statistics of a key's own take."""
        return sum(scorer.bytes_per_own_key() for scorer in self._learning())

    def state_dict(self) -> dict[str, Any]:
        """Everything learned, and the open incidents."""
        scorers = {name: scorer.state_dict() for name, scorer in self.scorers.items()}
        return {"scorers": scorers} | {name: getattr(self, name).state_dict() for name in LAYERS}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for name, scorer in self.scorers.items():
            scorer.load_state_dict(state["scorers"][name])
        for name in LAYERS:
            getattr(self, name).load_state_dict(state[name])


LAYERS = ("calibration", "incidents", "budget")
