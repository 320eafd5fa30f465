"""All scorers of an event together: distances, fusion, calibration, incidents.

`read` judges events with what was learned in past epochs and changes nothing; `write` moves the
per-event state (open incidents) on; `learn` takes an epoch's rows.

B = events, C = channels, D = embedding size, F = features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamssl.columns import Columns
from streamssl.config.budget import parse_budget
from streamssl.config.sections import AlertsConfig, ScorersConfig
from streamssl.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.keys import KeyColumns
from streamssl.scorers import attribution
from streamssl.scorers.alerts import AlertBudget
from streamssl.scorers.base import Features
from streamssl.scorers.calibration import Calibration
from streamssl.scorers.explanation import CoreExplanation
from streamssl.scorers.gaussian import SMALLEST, GaussianScorer, Measured
from streamssl.scorers.incidents import START, Incidents, IncidentStep
from streamssl.scorers.memory import MemoryScorer
from streamssl.scorers.residual import ResidualScorer

FUSED = ("gaussian", "residual", "memory")


@dataclass(frozen=True, slots=True)
class Scored(Columns):
    """Judged events; kept until the epoch ends, then learned.

    Attributes:
        position_B3: Partition, offset and index.
        event_time_B: Seconds.
        measured: What the statistical core measured.
        residual_BF: What the residual scorer scored.
        embedding_BD: From the teacher.
        scores_BS: Raw score of each scorer, in the order of `FUSED`.
        raw_B: Fused.
        p_B: Calibrated.
        fitted_B: Whether the scorers were ready.
        warming_B: Whether the score is not to be trusted yet.
        anomaly_B: Whether the score passed the threshold.
        incident_state_B: Index into `INCIDENT_STATES`.
    """

    position_B3: IntArray
    event_time_B: FloatArray
    measured: Measured
    residual_BF: FloatArray
    embedding_BD: Float32Array
    scores_BS: FloatArray
    raw_B: FloatArray
    p_B: FloatArray
    fitted_B: BoolArray
    warming_B: BoolArray
    anomaly_B: BoolArray
    incident_state_B: IntArray


class Ensemble:
    """Scorers, their fusion, calibration and the alert layer.

    Args:
        num_channels: C.
        leaky_CH: Input weights of the leaky units (for attribution).
        num_residuals: Length of the learner's residual vector.
        embedding: D.
        scorers, alerts: Their sections of the configuration.
        seed: Seed of the projections.
    """

    def __init__(
        self,
        *,
        num_channels: int,
        leaky_CH: FloatArray,
        num_residuals: int,
        embedding: int,
        scorers: ScorersConfig,
        alerts: AlertsConfig,
        seed: int,
    ) -> None:
        core = scorers.gaussian.model_dump(exclude={"enabled", "weight"})
        self.core = GaussianScorer(
            num_channels=num_channels, num_units=leaky_CH.shape[1], seed=seed, **core
        )
        self.residual = ResidualScorer(
            num_residuals=num_residuals, max_features=scorers.gaussian.max_features, seed=seed
        )
        self.memory = MemoryScorer(
            embedding=embedding,
            capacity=scorers.memory.capacity,
            neighbours=scorers.memory.neighbours,
        )
        self.explanation = CoreExplanation(scorer=self.core, leaky_CH=leaky_CH)
        self.calibration = Calibration(
            calibration_memory=alerts.calibration_memory,
            calibration_warmup=alerts.calibration_warmup,
        )
        self.incidents = Incidents(incident_gap=alerts.incident_gap)
        budget = parse_budget(alerts.budget)
        self.budget = AlertBudget(share=budget.share, per_day=budget.per_day)
        self.sections = {name: getattr(scorers, name) for name in FUSED}
        weights = [s.weight if s.enabled else 0.0 for s in self.sections.values()]
        self.weight_S = np.array(weights) / max(sum(weights), 1e-300)

    @property
    def names(self) -> tuple[str, ...]:
        """Scorers that are switched on: each has its raw column."""
        return tuple(name for name in FUSED if self.sections[name].enabled)

    def read(
        self,
        features: Features,
        residual_BR: Float32Array,
        embedding_BD: Float32Array,
        position_B3: IntArray,
        event_time_B: FloatArray,
    ) -> tuple[Scored, IncidentStep]:
        """Judge events (each key's in order); changes nothing."""
        measured = self.core.measure(features)
        residual_BF = self.residual.vector(residual_BR)
        scores_BS = self._scores(measured, residual_BF, embedding_BD)
        raw_B = np.exp(np.log(np.maximum(scores_BS, SMALLEST)) @ self.weight_S)
        p_B = self.calibration.p_value(measured.slot_B, raw_B)
        fitted_B = self.core.fitted(measured)
        warming_B = ~(fitted_B & self.calibration.ready(measured.slot_B))
        anomaly_B = (p_B <= self.budget.threshold()) & ~warming_B
        step = self.incidents.read(measured.slot_B, features.age_B, anomaly_B, position_B3[:, 1:])
        scored = Scored(
            position_B3,
            event_time_B,
            measured,
            residual_BF,
            embedding_BD,
            scores_BS,
            raw_B,
            p_B,
            fitted_B,
            warming_B,
            anomaly_B,
            step.state_B,
        )
        return scored, step

    def _scores(
        self, measured: Measured, residual_BF: FloatArray, embedding_BD: Float32Array
    ) -> FloatArray:
        scores_BS = np.ones((len(residual_BF), len(FUSED)))
        scores_BS[:, 0] = measured.raw
        if self.sections["residual"].enabled:
            scores_BS[:, 1] = self.residual.score(measured.entry_B, residual_BF)
        if self.sections["memory"].enabled:
            scores_BS[:, 2] = self.memory.score(embedding_BD)
        return scores_BS

    def learn(self, rows: Scored, generator: np.random.Generator) -> BoolArray:
        """Learn an epoch's rows, in (partition, offset, index) order.

        Returns:
            `[B]` True where the gate let the row through.
        """
        owners = self.core.own.columns["entry"].copy()
        learn_B = self.core.learn(rows.measured)
        entry_B = self.core.own.columns["entry"]
        moved = np.unique(entry_B[(entry_B != owners[: len(entry_B)]) & (entry_B > 0)])
        if self.sections["residual"].enabled:
            self.residual.release(moved)
            own_B = entry_B[rows.measured.slot_B]
            self.residual.learn(own_B, rows.residual_BF, learn_B)
        self.memory.learn(rows.embedding_BD[learn_B], rows.position_B3[learn_B], generator)
        self.calibration.learn(rows.measured.slot_B[rows.fitted_B], rows.raw_B[rows.fitted_B])
        started = int((rows.incident_state_B == START).sum())
        self.budget.learn(rows.event_time_B, rows.anomaly_B, started)
        return learn_B

    def top_channel(self, scored: Scored) -> IntArray:
        """`[B]` channel that contributes most, by the cheap method."""
        return self.explanation.top_channel(scored.measured)

    def attribution(self, scored: Scored) -> FloatArray:
        """`[A, C]` shares of the channels, over all scorers that are fused."""
        core, residual, memory = self.weight_S
        total_AC = core * self.explanation.contributions(scored.measured)
        if residual > 0:
            total_AC += residual * self.residual.contributions(
                scored.measured.entry_B, scored.residual_BF, total_AC.shape[1]
            )
        if memory > 0:  # A distance in the networks' space names no channel: how odd each one is.
            total_AC += memory * attribution.as_shares(
                self.explanation.newest(scored.measured) ** 2
            )
        return attribution.as_shares(total_AC)

    def per_key(self) -> list[KeyColumns]:
        """Every per-key column."""
        return [*self.core.per_key(), self.calibration.columns, self.incidents.columns]

    def state_dict(self) -> dict[str, Any]:
        """Everything learned, and the open incidents."""
        return {name: getattr(self, name).state_dict() for name in STATEFUL}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for name in STATEFUL:
            getattr(self, name).load_state_dict(state[name])


STATEFUL = ("core", "residual", "memory", "calibration", "incidents", "budget")
