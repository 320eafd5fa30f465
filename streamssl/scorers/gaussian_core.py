"""The statistical core: a gated slow teacher of statistics and a fast student, fused.

Four Gaussians score an event: A over moving averages and last rows, B over lagged rows, E over
leaky units (all three learn only rows that A's gate lets through), and G over lagged rows (learns
every row, far ones less). Their geometric mean is the raw score.

B = events, C = channels, F = features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.keys import KeyColumns, Runs
from streamssl.scorers import attribution
from streamssl.scorers.base import Admitted, Features, Measured
from streamssl.scorers.gate import Gate
from streamssl.scorers.gaussian_bank import GaussianBank
from streamssl.scorers.histogram import NUM_BINS, Above, add_scores, quantile
from streamssl.scorers.inputs import ChannelVector, num_lags, num_last
from streamssl.scorers.own_keys import OwnKeys
from streamssl.scorers.tiles import tile_rows

FITTED_ROWS = 256
OWN_ROWS = 256
SEED_ROWS = 256.0
UNREAD_STRIDE = 4
STUDENT_QUANTILE = 0.9
STUDENT_MEMORY = 20_000
PARTS = ("averaged", "lagged", "leaky", "student")
RIDGES = {"averaged": 0.3, "lagged": 0.01, "leaky": 0.1, "student": 0.01}


class GaussianCore:
    """Gated Mahalanobis distances on averages, lags and leaky units.

    Args:
        num_channels: C.
        num_units: Leaky units.
        own_keys: Keys with covariances of their own.
        max_features: Longest feature vector.
        gate, quarantine_min, quarantine_share, quarantine_max: See `Gate`.
        seed: Seed of the projections.
    """

    def __init__(
        self,
        *,
        num_channels: int,
        num_units: int,
        own_keys: int = 64,
        max_features: int = 256,
        gate: float = 0.85,
        quarantine_min: int = 500,
        quarantine_share: float = 0.2,
        quarantine_max: int = 3_000,
        seed: int = 0,
    ) -> None:
        last = num_last(num_channels)
        self.averaged = ChannelVector(num_channels, last, True, max_features, seed)
        self.lagged = ChannelVector(num_channels, num_lags(num_channels), False, max_features, seed)
        sizes = {
            "averaged": self.averaged.num_features,
            "lagged": self.lagged.num_features,
            "leaky": num_units,
            "student": self.lagged.num_features,
        }
        self.banks = {
            part: GaussianBank(num_features=sizes[part], ridge=RIDGES[part]) for part in PARTS
        }
        self.gate = Gate(
            gate=gate,
            quarantine_min=quarantine_min,
            quarantine_share=quarantine_share,
            quarantine_max=quarantine_max,
        )
        self.own = OwnKeys(own_keys=own_keys)
        self.columns = KeyColumns(student=((NUM_BINS,), np.float32, 0.0))

    def measure(self, features: Features) -> Measured:
        """Distances of the events to what was learned so far; changes nothing."""
        own_B = self.own.columns["entry"][features.slot_B]
        entry_B = self.scoring_entries(own_B)
        measured = Measured(
            slot_B=features.slot_B,
            entry_B=entry_B,
            own_B=own_B,
            averaged_BF=self.averaged.build(features),
            lagged_BF=self.lagged.build(features),
            leaky_BF=features.leaky_BH,
            center_BC=features.center_BC,
            scale_BC=features.scale_BC,
            scores_BP=np.empty((len(features), len(PARTS))),
            top_B=np.zeros(len(features), np.int64),
        )
        shared, tiling = self.shared(measured, entry_B == 0), tile_rows(entry_B)
        for column, part in enumerate(PARTS):
            distances = self.banks[part].distances(tiling, shared[part], pull=part == "lagged")
            measured.scores_BP[:, column] = distances.score_B
            if distances.pull_BF is not None:
                measured.top_B[:] = self._top_channels(distances.pull_BF, entry_B)
        return measured

    def _top_channels(self, pull_BF: Float32Array, entry_B: IntArray) -> IntArray:
        """`[B]` channel with the largest contribution to the lagged distance."""
        vector, bank = self.lagged, self.banks["lagged"]
        if not vector.projected:
            single_BF = pull_BF**2 / np.maximum(bank.precision_EF[entry_B], attribution.SMALLEST)
            return single_BF.reshape(-1, vector.num_blocks, vector.num_channels).max(1).argmax(1)
        top_B = np.zeros(len(pull_BF), np.int64)
        for entry in np.unique(entry_B).tolist():
            rows = entry_B == entry
            direction_XF = vector.projection() * bank.inverse_scale_EF[entry]
            top_B[rows] = attribution.projected_contributions(
                pull_BF[rows], bank.whiten_EFF[entry], direction_XF, vector.num_channels
            ).argmax(1)
        return top_B

    def scoring_entries(self, own_B: IntArray) -> IntArray:
        """The own entry, or the shared one where that has learned much more so far."""
        weight_E = self.banks["averaged"].weight_E
        young_B = (weight_E[own_B] < OWN_ROWS) & (weight_E[0] >= 2.0 * weight_E[own_B])
        return np.where(young_B, 0, own_B)

    def shared(self, measured: Measured, rows_B: BoolArray) -> dict[str, Float32Array]:
        """The vectors of each part, those of `rows_B` in units of their key's channels."""
        vectors = {"leaky": measured.leaky_BF}
        for part, build, x_BF in (
            ("averaged", self.averaged, measured.averaged_BF),
            ("lagged", self.lagged, measured.lagged_BF),
        ):
            if rows_B.any():
                z_BF = build.standardise(x_BF, measured.center_BC, measured.scale_BC)
                x_BF = z_BF if rows_B.all() else np.where(rows_B[:, None], z_BF, x_BF)
            vectors[part] = x_BF
        vectors["student"] = vectors["lagged"]
        return vectors

    def fitted(self, measured: Measured) -> BoolArray:
        """`[B]` whether the statistics behind each row's score are ready."""
        ready = self.banks["averaged"].fitted(FITTED_ROWS)[measured.entry_B]
        return ready & (self.gate.columns["learnt"][measured.slot_B] >= FITTED_ROWS)

    def admit(self, measured: Measured) -> Admitted:
        """Give entries to the busiest keys and let an epoch's rows (each key's in order) pass."""
        owned = self.own.columns["entry"].copy()
        self._give_entries(measured)
        entry_K = self.own.columns["entry"]
        moved = np.unique(entry_K[(entry_K != owned) & (entry_K > 0)])
        learn_B = self.gate.learn(measured.slot_B, measured.scores_BP[:, 0])
        return Admitted(learn_B, entry_K[measured.slot_B], moved)

    def learn(self, measured: Measured, admitted: Admitted) -> None:
        """Learn an epoch's rows."""
        learn_B, own_B = admitted.learn_B, admitted.own_B
        weight_B = self._student_weights(measured)
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
        owners = slice(None) if (own_B > 0).all() else own_B > 0
        self._learn_rows(measured.take(owners), own_B[owners], learn_B[owners], weight_B[owners])

    def _learn_rows(
        self,
        rows: Measured,
        entry_B: IntArray,
        learn_B: BoolArray,
        weight_B: FloatArray,
        *,
        refresh: bool = True,
    ) -> None:
        """Learn rows into the entries named: the teachers those of `learn_B`, the student all."""
        vectors = self.shared(rows, entry_B == 0)
        for part in PARTS[:3]:
            x_BF, ones_B = vectors[part][learn_B], np.ones(int(learn_B.sum()))
            self.banks[part].learn(entry_B[learn_B], x_BF, ones_B, refresh=refresh)
        self.banks["student"].learn(entry_B, vectors["student"], weight_B, refresh=refresh)

    def _student_weights(self, measured: Measured) -> FloatArray:
        """min(1, t / score) with t the key's running quantile; then the quantile moves on."""
        runs, score_B = Runs(measured.slot_B), measured.scores_BP[:, 3]
        counts = self.columns["student"]
        nobody = np.zeros(NUM_BINS), np.zeros(len(runs.slots))
        limit_K = quantile(Above(counts[runs.slots], *nobody), STUDENT_QUANTILE)
        add_scores(counts, runs, np.arange(len(score_B)), score_B, STUDENT_MEMORY)
        return np.minimum(1.0, limit_K[runs.group] / np.maximum(score_B, 1e-9))

    def _give_entries(self, measured: Measured) -> None:
        """Give entries to the busiest keys; each begins with what all keys have learned."""
        given = self.own.assign(measured.slot_B)
        for bank in self.banks.values():
            bank.ensure(self.own.num_entries)
        for slot, entry in given:
            row = int(np.flatnonzero(measured.slot_B == slot)[0])
            center, scale = measured.center_BC[row], measured.scale_BC[row]
            self._seed("averaged", self.averaged, entry, center, scale)
            self._seed("lagged", self.lagged, entry, center, scale)
            self._seed("student", self.lagged, entry, center, scale)
            zeros, ones = np.zeros(measured.leaky_BF.shape[1]), np.ones(measured.leaky_BF.shape[1])
            self.banks["leaky"].seed_entry(entry, zeros, ones, SEED_ROWS)

    def _seed(
        self, part: str, vector: ChannelVector, entry: int, center: FloatArray, scale: FloatArray
    ) -> None:
        blocks = 0 if vector.projected else vector.num_blocks
        size = vector.num_features
        center_F = np.tile(center, blocks) if blocks else np.zeros(size)
        scale_F = np.tile(scale, blocks) if blocks else np.ones(size)
        self.banks[part].seed_entry(entry, center_F, scale_F, SEED_ROWS)

    def per_key(self) -> list[KeyColumns]:
        """Every per-key column, so that the owner can grow and clear them together."""
        return [self.columns, self.gate.columns, self.own.columns]

    def state_dict(self) -> dict[str, Any]:
        """Everything learned."""
        return {
            "banks": {part: bank.state_dict() for part, bank in self.banks.items()},
            "gate": self.gate.state_dict(),
            "own": self.own.state_dict(),
            "columns": self.columns.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for part, bank in self.banks.items():
            bank.load_state_dict(state["banks"][part])
        self.gate.load_state_dict(state["gate"])
        self.own.load_state_dict(state["own"])
        self.columns.load_state_dict(state["columns"])
