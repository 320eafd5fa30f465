"""The four Gaussians that score a row, and the feature vectors that they look at.

B = events, C = channels, F = features, X = features before a projection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.arithmetic.tiles import tile_rows
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.modalities.sensor.features import FARTHEST_RESIDUAL, SensorMeasured
from streamssl.modalities.sensor.vectors import ChannelVector, num_lags, num_last
from streamssl.scorers.base import FITTED_ROWS
from streamssl.scorers.gaussian_bank import Distances, GaussianBank

EVIDENCE = ("averaged", "lagged", "leaky", "student")
# docs/research-log.md, "Constants of the arithmetic"
EARLY_ROWS = 300.0
STALE_SHARE = 1.0 / 8.0  # of the rows of the shared entry, learned since it was whitened
RIDGES = {"averaged": 0.3, "lagged": 0.01, "leaky": 0.1, "student": 0.01}


class SensorGaussians:
    """A bank of Gaussians for each kind of evidence.

    `averaged` looks at moving averages and last rows, `lagged` and `student` at lagged rows,
    `leaky` at the leaky units.

    Args:
        num_channels: C.
        num_units: Leaky units.
        max_features: Longest feature vector.
        seed: Seed of the projections.
    """

    def __init__(self, *, num_channels: int, num_units: int, max_features: int, seed: int) -> None:
        averaged = ChannelVector(num_channels, num_last(num_channels), True, max_features, seed)
        lagged = ChannelVector(num_channels, num_lags(num_channels), False, max_features, seed)
        self.vectors = {"averaged": averaged, "lagged": lagged, "student": lagged}
        sizes = {name: vector.num_features for name, vector in self.vectors.items()}
        sizes["leaky"] = num_units
        self.banks = {
            kind: GaussianBank(
                num_features=sizes[kind], ridge=RIDGES[kind], early_F=self._early(kind)
            )
            for kind in EVIDENCE
        }

    def _early(self, kind: str) -> FloatArray | None:
        """The rows before the newest count less while little is known."""
        vector = self.vectors.get(kind)
        if vector is None or vector.projected:
            return None
        early_FC = np.full((vector.num_blocks, vector.num_channels), EARLY_ROWS)
        early_FC[: vector.num_blocks - vector.num_rows] = early_FC[-1] = 0.0
        return early_FC.ravel()

    def __getitem__(self, kind: str) -> GaussianBank:
        """The bank of one of `EVIDENCE`."""
        return self.banks[kind]

    def features(self, measured: SensorMeasured, rows_B: BoolArray) -> dict[str, Float32Array]:
        """Each kind's vectors, those of `rows_B` in units of their key's channels."""
        found = {"leaky": measured.leaky_BF}
        for kind, x_BF in (("averaged", measured.averaged_BF), ("lagged", measured.lagged_BF)):
            if rows_B.any():
                z_BF = self.vectors[kind].standardise(x_BF, measured.center_BC, measured.scale_BC)
                x_BF = z_BF if rows_B.all() else np.where(rows_B[:, None], z_BF, x_BF)
            found[kind] = x_BF
        found["student"] = found["lagged"]
        return found

    def distances(self, measured: SensorMeasured, kind: str) -> Distances:
        """Distances of one kind, and their gradients by the standardised features."""
        x_BF = self.features(measured, measured.entry_B == 0)[kind]
        return self.banks[kind].distances_and_gradients(tile_rows(measured.entry_B), x_BF)

    def innovations(
        self, flat_BX: Float32Array, entry_B: IntArray, center_BC: FloatArray, scale_BC: FloatArray
    ) -> tuple[Float32Array, Float32Array]:
        """`[B, F]` P z of lagged rows, and `[B, C]` |P z|_c / sqrt(P_cc) of the newest values."""
        vector, bank = self.vectors["lagged"], self.banks["lagged"]
        shared_B = entry_B == 0
        if shared_B.any():
            z_BX = vector.standardise(flat_BX, center_BC, scale_BC)
            flat_BX = z_BX if shared_B.all() else flat_BX.copy()
            flat_BX[shared_B] = z_BX[shared_B]
        gradient_BF = bank.distances_and_gradients(tile_rows(entry_B), flat_BX).gradient_BF
        return gradient_BF, self.newest(bank.standing_out(entry_B, gradient_BF), entry_B)

    def newest(self, size_BF: Float32Array, entry_B: IntArray) -> Float32Array:
        """`[B, C]` of lagged features that stand out so far, those of the newest values.

        It is 0 where vectors are projected, and where too few rows were learned.
        """
        vector = self.vectors["lagged"]
        if vector.projected:
            return np.zeros((len(entry_B), vector.num_channels), np.float32)
        fitted_B1 = self.banks["lagged"].fitted(FITTED_ROWS)[entry_B, None]
        return size_BF[:, -vector.num_channels :] * fitted_B1

    def residuals(
        self, size_BC: Float32Array, gradient_BF: Float32Array, measured: SensorMeasured
    ) -> Float32Array:
        """`[B, C]` how far the newest values stand out, signed, within +-15 deviations.

        Where vectors are projected, how far they are from their own means.

        Args:
            size_BC: As `newest` gave it.
            gradient_BF: Of the lagged distances.
            measured: The rows.
        """
        if not self.vectors["lagged"].projected:
            signed_BC = np.copysign(size_BC, gradient_BF[:, -size_BC.shape[1] :])
        else:
            fitted_B1 = self.banks["lagged"].fitted(FITTED_ROWS)[measured.entry_B, None]
            signed_BC = (measured.standardised() * fitted_B1).astype(np.float32)
        return np.clip(signed_BC, -FARTHEST_RESIDUAL, FARTHEST_RESIDUAL, out=signed_BC)

    def projection(self, kind: str) -> Float32Array | None:
        """`[X, F]` the projection that a kind's vector goes through, None for none."""
        vector = self.vectors[kind]
        return vector.projection() if vector.projected else None

    def begin_entry(self, entry: int, center_C: FloatArray, scale_C: FloatArray) -> None:
        """Let an entry begin with what all keys have learned, in the units of its key.

        A vector that is projected is in units of the key's channels already.
        """
        for kind, bank in self.banks.items():
            vector = self.vectors.get(kind)
            blocks = vector.num_blocks if vector and not vector.projected else 0
            size = bank.num_features
            center_F = np.tile(center_C, blocks) if blocks else np.zeros(size)
            scale_F = np.tile(scale_C, blocks) if blocks else np.ones(size)
            bank.seed_entry(entry, center_F, scale_F)

    def keep_ready(self) -> None:
        """Whiten the shared entry by what it learned unread: a key that joins is scored by it."""
        for bank in self.banks.values():
            if bank.unrefreshed_E[0] >= STALE_SHARE * bank.weight_E[0]:
                bank.refresh(np.zeros(1, np.int64))

    def set_origins(self, entries: IntArray, origin_KC: FloatArray) -> None:
        """Tell what was taken off the rows of entries that keys own."""
        for kind, bank in self.banks.items():
            vector = self.vectors.get(kind)
            if vector and not vector.projected:
                bank.origin_EF[entries] = np.tile(origin_KC, vector.num_blocks)

    def bytes_per_entry(self) -> int:
        """Bytes of one entry of every bank."""
        return sum(bank.bytes_per_entry() for bank in self.banks.values())

    def state_dict(self) -> dict[str, Any]:
        """The state of every bank, by kind."""
        return {kind: bank.state_dict() for kind, bank in self.banks.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over every bank; the sizes of their vectors must be the same."""
        for kind, bank in self.banks.items():
            bank.load_state_dict(state[kind])
