"""The statistical core: a gated slow teacher of statistics and a fast student, fused.

Four Gaussians score an event: A over moving averages and last rows, B over lagged rows, E over
leaky units (all three learn only rows that A's gate lets through), and G over lagged rows (learns
every row, far ones less). Their geometric mean is the raw score.

B = events, C = channels, F = features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from streamssl.arithmetic.acceptance import ACCEPTANCE, Acceptance
from streamssl.arithmetic.histogram import NUM_BINS, Above, add_scores, quantile
from streamssl.arithmetic.moments import MEMORY_ROWS
from streamssl.arithmetic.tiles import tile_rows
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.modalities.sensor import explanation
from streamssl.modalities.sensor.cleaning import CleanedContext
from streamssl.modalities.sensor.context import SensorContext
from streamssl.modalities.sensor.features import FAR_OFF, Features, SensorMeasured, Signals
from streamssl.modalities.sensor.first_rows import forget_impossible
from streamssl.modalities.sensor.gaussians import EVIDENCE, SensorGaussians
from streamssl.modalities.sensor.jumps import Jumps
from streamssl.modalities.sensor.levels import ChannelLevels
from streamssl.modalities.sensor.liveliness import Liveliness
from streamssl.scorers.base import FITTED_ROWS, Admitted, Core, Measurement, Seen

# docs/research-log.md, "Constants of the arithmetic"
UNREAD_STRIDE = 4
STUDENT_QUANTILE = 0.9
PARTS = ("gaussians", "levels", "liveliness", "jumps", "cleaned")
SHARED_LEAD = 2.0  # times as many rows, with which the shared entry scores in place of a young one


class SensorCore(Core[SensorMeasured]):
    """Gated Mahalanobis distances on averages, lags and leaky units.

    Args:
        num_channels: C.
        context: What the keys remember.
        acceptance: Rows after which another level is one of a key's, by its events.
        max_features: Longest feature vector.
        seed: Seed of the projections.
    """

    signal_weights: ClassVar[Mapping[str, float]] = {"innovation": 0.1, "level": 0.3, "quiet": 0.05}

    def __init__(
        self,
        *,
        num_channels: int,
        context: SensorContext,
        acceptance: Acceptance = ACCEPTANCE,
        max_features: int = 256,
        seed: int = 0,
    ) -> None:
        self._context, self.leaky_CH = context, context.leaky.weight_CH
        self.gaussians = SensorGaussians(
            num_channels=num_channels,
            num_units=context.leaky.num_units,
            max_features=max_features,
            seed=seed,
        )
        self.levels = ChannelLevels(
            num_channels=num_channels, acceptance=acceptance, origins=context.origins
        )
        self.liveliness = Liveliness(num_channels=num_channels)
        self.jumps = Jumps(num_channels=num_channels)
        self._restarted = np.zeros(0, np.int64)
        self.cleaned = CleanedContext(context=context, gaussians=self.gaussians)
        self.columns = KeyColumns(student=((NUM_BINS,), np.float32, 0.0))

    def measure(self, context: Features, own_B: IntArray) -> Measurement[SensorMeasured]:
        """Distances of the events to what was learned so far; changes nothing."""
        runs, entry_B = Runs(context.slot_B), self._scoring_entries(own_B)
        age_K = context.age_B[runs.order[runs.starts]]
        far_B, far_channel_B = self.levels.read(runs, context.values_BC)
        quiet_B, channel_B, lively = self.liveliness.read(runs, age_K, context.values_BC)
        signals = Signals(
            np.stack([far_B, quiet_B], axis=1), np.stack([far_channel_B, channel_B], axis=1)
        )
        plain = self._measured(context, entry_B, own_B, signals)
        found = self.cleaned.read(context, entry_B, plain.innovation_B >= FAR_OFF)
        if found is None:
            return Measurement(plain, advance=(lively, None))
        rows, clean, advance = found
        again = self._measured(clean, entry_B[rows], own_B[rows], signals.take(rows))
        return Measurement(plain, (rows, again), (lively, advance))

    def _measured(
        self, context: Features, entry_B: IntArray, own_B: IntArray, signals: Signals
    ) -> SensorMeasured:
        vectors = self.gaussians.vectors
        measured = SensorMeasured(
            slot_B=context.slot_B,
            age_B=context.age_B,
            entry_B=entry_B,
            own_B=own_B,
            newest_BC=context.recent_BNC[:, -1],
            averaged_BF=vectors["averaged"].build(context),
            lagged_BF=vectors["lagged"].build(context),
            leaky_BF=context.leaky_BH,
            center_BC=context.center_BC,
            scale_BC=context.scale_BC,
            values_BC=context.values_BC,
            jump_BC=self.jumps.read(context.slot_B, context.recent_BNC),
            residual_BC=np.zeros(context.values_BC.shape, np.float32),
            innovation_B=np.zeros(len(context)),
            channel_B=np.zeros(len(context), np.int64),
            signals=signals,
            origins=context.origins,
            evidence_BV=np.empty((len(context), len(EVIDENCE))),
            top_B=np.zeros(len(context), np.int64),
            joined_B=context.joined_B,
        )
        x_BF, tiling = self.gaussians.features(measured, entry_B == 0), tile_rows(entry_B)
        for column, kind in enumerate(EVIDENCE):
            bank = self.gaussians[kind]
            if kind == "lagged":
                score_B, gradient_BF = bank.distances_and_gradients(tiling, x_BF[kind])
                size_BF = bank.standing_out(entry_B, gradient_BF)
                measured.top_B[:] = self._top_channels(gradient_BF, size_BF, entry_B)
                size_BC = self.gaussians.newest(size_BF, entry_B)
                measured.residual_BC[:] = self.gaussians.residuals(size_BC, gradient_BF, measured)
                measured.channel_B[:] = size_BC.argmax(1)
                measured.innovation_B[:] = size_BC.max(1)
            else:
                score_B = bank.distances(tiling, x_BF[kind])
            measured.evidence_BV[:, column] = score_B
        return measured

    def write(self, advance: Any) -> None:
        """Move liveliness and cleaned contexts on to what `measure` gave."""
        lively, cleaned = advance
        self.liveliness.write(lively)
        if cleaned is not None:
            self.cleaned.write(cleaned)

    def _top_channels(
        self, gradient_BF: Float32Array, size_BF: Float32Array, entry_B: IntArray
    ) -> IntArray:
        """`[B]` channel with the largest contribution to the lagged distance.

        Of single features, g_f^2 / P_ff with g = P z: that of blocks costs more than the score.
        """
        vector, bank = self.gaussians.vectors["lagged"], self.gaussians["lagged"]
        if not vector.projected:
            return size_BF.argmax(1) % vector.num_channels
        projection_XF = self.gaussians.projection("lagged")
        found = bank.contributions(entry_B, gradient_BF, vector.num_channels, projection_XF)
        return found.argmax(1)

    def _scoring_entries(self, own_B: IntArray) -> IntArray:
        """The own entry; while it has under 256 rows, the shared one if that has twice as many."""
        weight_E = self.gaussians["averaged"].weight_E
        young_B = (weight_E[own_B] < FITTED_ROWS) & (weight_E[0] >= SHARED_LEAD * weight_E[own_B])
        return np.where(young_B, 0, own_B)

    def fitted(self, measured: SensorMeasured) -> BoolArray:
        """`[B]` whether the statistics behind each row's score are ready."""
        return self.gaussians["averaged"].fitted(FITTED_ROWS)[measured.entry_B]

    def score(self, seen: Seen[SensorMeasured]) -> FloatArray:
        """`[B]` geometric mean of the distances: exp(mean_v ln max(s_v, .001))."""
        return seen.measured.raw

    def contributions(self, seen: Seen[SensorMeasured]) -> FloatArray:
        """`[A, C]` share of the squared distances that each channel explains."""
        return explanation.contributions(self.gaussians, seen.measured, self.leaky_CH)

    def expected(self, measured: SensorMeasured) -> FloatArray:
        """`[A, C]` newest values that the lagged distance's Gaussian predicts."""
        about_AC = explanation.expected(self.gaussians, measured)
        return about_AC + measured.origins.of(measured.slot_B)

    def expected_spread(self, measured: SensorMeasured) -> FloatArray:
        """`[A, C]` standard deviations of these values."""
        return explanation.expected_spread(self.gaussians, measured)

    def bytes_per_own_key(self) -> int:
        """Bytes of one entry of every Gaussian."""
        return self.gaussians.bytes_per_entry()

    def learn(
        self,
        seen: Seen[SensorMeasured],
        admitted: Admitted,
        generator: np.random.Generator,  # noqa: ARG002 - the interface's
    ) -> None:
        """Learn an epoch's rows: into the shared entry, and those of owners into their own."""
        measured = seen.measured
        self._begin_entries(measured, admitted)
        learn_B, own_B = admitted.learn_B, admitted.own_B
        weight_B = self._student_weights(measured) * ~admitted.spoiled_B
        shared_read = bool((measured.entry_B == 0).any() or (own_B == 0).any())
        # While nobody reads what all keys have learned, a part of the rows will do.
        rows = slice(None, None, 1 if shared_read else UNREAD_STRIDE)
        self._learn_rows(
            measured.take(rows),
            np.zeros_like(own_B[rows]),
            learn_B[rows],
            weight_B[rows],
            refresh=shared_read,
        )
        if self._context.newcomers.fleet.is_mature and not shared_read:
            self.gaussians.keep_ready()
        self._learn_levels(measured)
        owners = slice(None) if (own_B > 0).all() else own_B > 0
        slots, first = np.unique(measured.slot_B[owners], return_index=True)
        self.gaussians.set_origins(own_B[owners][first], self._context.origins.of(slots))
        self._learn_rows(measured.take(owners), own_B[owners], learn_B[owners], weight_B[owners])

    def spoiled(self, measured: SensorMeasured) -> BoolArray:
        """`[B]` rows of young keys from an impossible reading on, which is forgotten."""
        return forget_impossible(self._context, measured)

    def restarted(
        self, measured: SensorMeasured, rows: IntArray
    ) -> Mapping[str, tuple[IntArray, FloatArray]]:
        """Rows of keys that have another level since they were measured, as they are now."""
        places = np.flatnonzero(np.isin(measured.slot_B[rows], self._restarted))
        again = rows[places]
        size_R = self.levels.distances(measured.slot_B[again], measured.values_BC[again])
        return {"level": (places, size_R)}

    def _learn_levels(self, measured: SensorMeasured) -> None:
        """Learn all rows' levels, liveliness and jumps."""

        def window(slots: IntArray) -> Float32Array:
            rows_KTC: Float32Array = self._context.columns["window"][slots]
            return rows_KTC

        self._restarted = self.levels.learn(
            measured.slot_B, measured.age_B, measured.values_BC, window
        )
        runs, lively = Runs(measured.slot_B), self.liveliness.columns
        self.liveliness.learn(runs, window)
        count_KC, step_KC = (lively[name][runs.slots] for name in ("count", "step"))
        self.jumps.learn(runs, measured.jump_BC, count_KC, step_KC)

    def _learn_rows(
        self,
        rows: SensorMeasured,
        entry_B: IntArray,
        learn_B: BoolArray,
        weight_B: FloatArray,
        *,
        refresh: bool = True,
    ) -> None:
        """Learn rows into the entries named: the teachers those of `learn_B`, the student all."""
        x_BF = self.gaussians.features(rows, entry_B == 0)
        ones_B = np.ones(int(learn_B.sum()))
        for kind in EVIDENCE[:3]:
            admitted_BF = x_BF[kind].compress(learn_B, axis=0)
            self.gaussians[kind].learn(entry_B[learn_B], admitted_BF, ones_B, refresh=refresh)
        self.gaussians["student"].learn(entry_B, x_BF["student"], weight_B, refresh=refresh)

    def _student_weights(self, measured: SensorMeasured) -> FloatArray:
        """min(1, t / score) with t the key's running quantile; then the quantile moves on."""
        runs, score_B = Runs(measured.slot_B), measured.evidence_BV[:, 3]
        counts = self.columns["student"]
        nobody = np.zeros(NUM_BINS), np.zeros(len(runs.slots))
        limit_K = quantile(Above(counts[runs.slots], *nobody), STUDENT_QUANTILE)
        add_scores(counts, runs, np.arange(len(score_B)), score_B, MEMORY_ROWS)
        return np.minimum(1.0, limit_K[runs.group] / np.maximum(score_B, 1e-9))

    def _begin_entries(self, measured: SensorMeasured, admitted: Admitted) -> None:
        """Entries that were assigned begin with what all keys have learned."""
        for bank in self.gaussians.banks.values():
            bank.ensure(admitted.num_entries)
        for slot, entry in admitted.assigned:
            row = int(np.flatnonzero(measured.slot_B == slot)[-1])
            self.gaussians.set_origins(
                np.array([entry]), self._context.origins.of(np.array([slot]))
            )
            self.gaussians.begin_entry(entry, measured.center_BC[row], measured.scale_BC[row])

    def per_key(self) -> list[KeyColumns]:
        """The students' running quantiles, levels and cleaned contexts."""
        return [self.columns, *(getattr(self, name).columns for name in PARTS[1:])]

    def state_dict(self) -> dict[str, Any]:
        """The Gaussians and the students' running quantiles."""
        parts = {name: getattr(self, name).state_dict() for name in PARTS}
        return {"columns": self.columns.state_dict(), **parts}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over Gaussians and quantiles, between epochs."""
        for name in PARTS:
            getattr(self, name).load_state_dict(
                state.get(name, {}) if name == "jumps" else state[name]
            )
        self.columns.load_state_dict(state["columns"])
        self.jumps.columns.ensure(self.columns.num_slots)  # a state of before jumps has none
