"""All scorers of an event together: distances, fusion, calibration, incidents.

`read` judges events with what was learned in past epochs and changes nothing; `write` moves the
per-event state (open incidents) on; `learn` takes an epoch's rows.

B = events, A = explained events, P = parts, S = scorers, R = residuals, D = embedding size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from streamssl.alerts.budget import AlertBudget
from streamssl.alerts.calibration import Calibration, LevelSteps
from streamssl.alerts.incident_fields import IncidentFields
from streamssl.alerts.incident_story import IncidentStories
from streamssl.alerts.incident_sums import IncidentSums
from streamssl.alerts.incidents import Incidents, IncidentStep
from streamssl.alerts.past_incidents import PastIncidents
from streamssl.alerts.yardstick import Alarm
from streamssl.config.budget import parse_budget
from streamssl.config.sections import AlertsConfig, ScorersConfig
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns
from streamssl.data.results import NEW
from streamssl.data.spaces import SpaceOpening, incident_slice
from streamssl.scorers import SCORERS, attribution
from streamssl.scorers.base import (
    FITTED_ROWS,
    Admitted,
    Core,
    Measurement,
    Scorer,
    ScorerSizes,
    Seen,
)
from streamssl.scorers.fusion import FusionWeights, fused, judged
from streamssl.scorers.gate import Gate
from streamssl.scorers.memory import MemoryScorer
from streamssl.scorers.own_keys import OwnKeys
from streamssl.scorers.scored import AlertStep, Scored
from streamssl.scorers.window import WindowScorer
from streamssl.scorers.window_reader import BlockRead


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
        self.core, self._core_name, self._num_parts = core, core_name, sizes.num_parts
        self.scorers: dict[str, Scorer] = {core_name: core, **shared}
        self.memory = cast(MemoryScorer, shared["memory"])
        self.window = cast(WindowScorer, shared["window"])
        sections = {core_name: scorers.core} | {name: getattr(scorers, name) for name in SCORERS}
        self.names = tuple(name for name in self.scorers if sections[name].enabled)
        weight_S = np.array([sections[name].weight for name in self.names])
        self._of_core = np.isin(self.names, [core_name, "window"]) & (core_name in self.names)
        self.weights = FusionWeights([self.scorers[name] for name in self.names], weight_S)
        signals = tuple(core.signal_weights.values())
        self.calibration = Calibration(
            (RAW_WEIGHT if signals else 1.0, *signals),
            calibration_memory=alerts.calibration_memory,
            calibration_warmup=alerts.calibration_warmup,
        )
        self.gate = Gate(**scorers.gate.model_dump())
        self.incidents = Incidents(
            incident_gap=alerts.incident_gap, acceptance=self.gate.acceptance
        )
        self.incident_fields, self.stories = IncidentFields(), IncidentStories()
        columns = incident_slice(sizes.slices)
        self.sums = IncidentSums(num_parts=sizes.num_parts, columns=columns)
        self.past = PastIncidents(
            num_parts=sizes.num_parts, columns=columns, capacity=alerts.incidents_kept
        )
        # Age of a key up to which its context is not wholly of this stream.
        self.bridged = KeyColumns(until=((), np.int64, 0))
        budget = parse_budget(alerts.budget)
        self.own = OwnKeys(own_keys=scorers.own_keys)
        # These learn even where they are switched off: the core gates, the memory names
        # neighbours. Without embeddings there is nothing to remember.
        self._always = (core_name, "memory") if sizes.embedding else (core_name,)
        self.budget = AlertBudget(share=budget.share, per_day=budget.per_day)

    @property
    def window_share(self) -> float:
        """Share of the rows whose windows are to be learned; 0 where no scorer looks at them."""
        basis = self.window.basis
        return basis.sample_share if basis and "window" in self.names else 0.0

    def reads(self) -> dict[str, BlockRead]:
        """What the window scorer reads of the blocks of windows: what its usual shapes leave."""
        return {"window": self.window.block_read(is_read="window" in self.names)}

    def open_space(self, opening: SpaceOpening) -> None:
        """Carry remembered vectors and those of incidents over to a new embedding space."""
        for layer in (self.memory, self.sums, self.past):
            layer.open_space(opening)

    def measure(self, slot_B: IntArray, context: Any) -> Measurement[Any]:
        """What the core says of events in their context, without a network; changes nothing."""
        return self.core.measure(context, self.own.columns["entry"][slot_B])

    def read(
        self,
        measurement: Measurement[Any],
        residual_BR: Float32Array,
        embedding_BD: Float32Array,
        window_BR: Float32Array,
        position_B3: IntArray,
        event_time_B: FloatArray,
    ) -> tuple[Scored, LevelSteps, IncidentStep]:
        """Judge events (each key's in order) that `measure` measured; changes nothing.

        raw = exp(sum_s w_s ln max(r_s, .001)) over the scorers' raw scores r, sum_s w_s = 1.
        """
        measured = measurement.learnt
        seen = Seen(position_B3, measured, residual_BR, embedding_BD, window_BR)
        scores_BS = np.stack([self.scorers[name].score(seen) for name in self.names], axis=1)
        learnt_B = self.gate.columns["learnt"][measured.slot_B]
        weight_BS = self.weights.of(seen, learnt_B)
        raw_B = fused(scores_BS, weight_BS)
        fitted_B = self.core.fitted(measured) & (learnt_B >= FITTED_ROWS)
        judged_B = judged(measurement, raw_B, scores_BS, weight_BS, self._of_core)
        signals_BE = measurement.judged(lambda measured: measured.signals_BE)
        evidence_BE = np.concatenate([judged_B[:, None], signals_BE], axis=1)
        found = self.calibration.read(
            measured.slot_B, evidence_BE, fitted_B, measured.is_newcomer_B
        )
        bridged_B = measured.age_B < self.bridged["until"][measured.slot_B]
        warming_B = np.where(bridged_B, NEW, found.warming_B)
        incidents = self.incidents.read(
            measured.slot_B,
            measured.age_B,
            np.where(warming_B == NEW, 1.0, found.p_B),
            position_B3[:, 1:],
            self.budget.threshold(),
        )
        scored = Scored(
            seen=seen,
            event_time_B=event_time_B,
            scores_BS=scores_BS,
            raw_B=raw_B,
            evidence_BE=evidence_BE,
            level_BE=found.level_BE,
            winner_B=found.winner_B,
            p_B=found.p_B,
            fitted_B=fitted_B,
            warming_B=warming_B,
            threshold_B=incidents.threshold_B,
            anomaly_B=incidents.anomaly_B,
            incident_state_B=incidents.state_B,
        )
        return scored, found.step, incidents

    def write(self, step: AlertStep) -> None:
        """Move levels and incidents on to what `read` and the results returned."""
        self.calibration.write(step.levels)
        self.incidents.write(step.incidents)
        self.incident_fields.write(step.fields)
        if step.told is not None:
            self.stories.write(step.told.stories)
            self.sums.write(step.told.sums)

    def num_warming(self, slots: IntArray) -> int:
        """How many of these keys have learnt or calibrated too few scores for alerts."""
        own_K = self.gate.columns["learnt"][slots] >= FITTED_ROWS
        own_K &= self.calibration.ready(slots)
        return int((~(own_K | self.calibration.first.may_alert(slots))).sum())

    def num_muted(self, slots: IntArray) -> int:
        """How many of these keys spent so many tokens that nothing opens."""
        return int(self.incidents.muted(slots).sum())

    def carry(self, slots: IntArray, until_K: IntArray) -> None:
        """Let keys go on in another stream: without their incidents, warming up to an age."""
        for layer in (self.incidents, self.incident_fields, self.stories, self.sums):
            layer.columns.clear(slots)
        self.bridged["until"][slots] = until_K

    def admit(self, rows: Scored) -> Admitted:
        """Which of an epoch's rows, in (partition, offset, index) order, may be learned."""
        measured, entry_K = rows.seen.measured, self.own.columns["entry"]
        owned = entry_K.copy()
        assigned = self.own.assign(measured.slot_B)
        moved = np.unique(entry_K[(entry_K != owned) & (entry_K > 0)])
        learn_B = self.gate.learn(measured.slot_B, measured.evidence_BV[:, 0])
        own_B, spoiled_B = entry_K[measured.slot_B], self.core.spoiled(measured)
        learn_B &= ~spoiled_B
        return Admitted(learn_B, own_B, moved, assigned, self.own.num_entries, spoiled_B)

    def learn(self, rows: Scored, admitted: Admitted, generator: np.random.Generator) -> int:
        """Learn an epoch's rows that were admitted; calibration and budget learn all.

        Args:
            rows: In (partition, offset, index) order.
            admitted: What `admit` said of them.
            generator: Source of random choices.

        Returns:
            Shifts that were accepted as the new normal.
        """
        for scorer in self._learning():
            scorer.learn(rows.seen, admitted, generator)
        fitted, measured = np.flatnonzero(rows.fitted_B), rows.seen.measured
        slot_B, age_B = measured.slot_B[fitted], measured.age_B[fitted]
        plain_BE, level_BE = rows.evidence_BE[fitted], rows.level_BE[fitted]
        evidence_BE = plain_BE.copy()
        restarted, num_rebased = self.core.restarted(measured, fitted), 0
        for e, name in enumerate(self.core.signal_weights, start=1):
            if name in restarted and len(restarted[name][0]):
                again, value_R = restarted[name]
                num_rebased += len(np.unique(slot_B[again]))
                evidence_BE[again, e] = value_R
                level_BE[again, e] = self.calibration.restart(e, slot_B[again], value_R)
        self.calibration.learn(slot_B, age_B, evidence_BE, level_BE, self._alarm)
        accepted = self.incidents.take_accepted(np.unique(slot_B))
        self.calibration.settle(slot_B, plain_BE, accepted)
        self.budget.learn(rows.event_time_B, rows.anomaly_B)
        return num_rebased + len(accepted)

    def _alarm(self, slots: IntArray, age_K: IntArray) -> Alarm:
        """What counts as an alarm for keys now."""
        budget = self.budget.threshold()
        return Alarm(
            p_KE=self.incidents.threshold(slots, age_K, budget)[:, None],
            largest_p_KE=np.full((len(slots), 1), budget),
            gap=self.incidents.gap,
            accepted_K=self.gate.acceptance.after(age_K),
        )

    def _learning(self) -> list[Scorer]:
        named = self.scorers.items()
        return [s for name, s in named if name in self.names or name in self._always]

    def attribution(self, scored: Scored) -> FloatArray:
        """`[A, P]` sum_s w_s c_sp over the fused scorers, as shares of the parts."""
        total_AP = np.zeros((len(scored.seen), self._num_parts))
        weight_AS = self.weights.of(scored.seen, self.gate.columns["learnt"][scored.slots])
        for name, weight_A in zip(self.names, weight_AS.T, strict=True):
            if weight_A.any():
                total_AP += weight_A[:, None] * self.scorers[name].contributions(scored.seen)
        return attribution.as_shares(total_AP)

    def alarm_size(self, anomalies: Scored) -> FloatArray:
        """`[A]` deviations at which a single part would be an anomaly; NaN where none says so."""
        if INNOVATION not in self.core.signal_weights:
            return np.full(len(anomalies.p_B), np.nan)
        e = 1 + [*self.core.signal_weights].index(INNOVATION)
        level_A, p_A = anomalies.level_BE[:, e], anomalies.threshold_B
        return self.calibration.alarm_value(e, anomalies.slots, level_A, p_A)

    def per_key(self) -> list[KeyColumns]:
        """The per-key columns of all scorers and of the alert layer."""
        own = [columns for scorer in self.scorers.values() for columns in scorer.per_key()]
        layers = (self.gate, self.own, self.incidents, self.incident_fields)
        columns = [layer.columns for layer in (*layers, self.stories, self.sums)]
        return [*own, *columns, self.bridged, *self.calibration.per_key()]

    def bytes_per_own_key(self) -> int:
        """Bytes that a key takes more where it owns an entry."""
        return sum(scorer.bytes_per_own_key() for scorer in self._learning())

    def state_dict(self) -> dict[str, Any]:
        """The scorers by name, and the layers around them, open incidents included."""
        scorers = {name: scorer.state_dict() for name, scorer in self.scorers.items()}
        layers = (*LAYERS, *TOLD_LAYERS)
        return {"scorers": scorers} | {name: getattr(self, name).state_dict() for name in layers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state; a scorer that it knows nothing of goes on as it is."""
        for name in self.scorers.keys() & state["scorers"].keys():
            self.scorers[name].load_state_dict(state["scorers"][name])
        for name in LAYERS:
            getattr(self, name).load_state_dict(state[name])
        for name in TOLD_LAYERS:  # Older states do not tell of incidents.
            if name in state:
                getattr(self, name).load_state_dict(state[name])


RAW_WEIGHT = 0.75
INNOVATION = "innovation"  # the signal whose unit is the deviation of what is expected
LAYERS = ("gate", "own", "calibration", "incidents", "incident_fields", "bridged", "budget")
TOLD_LAYERS = ("stories", "sums", "past")
