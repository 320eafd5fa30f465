"""Many running Gaussians over one feature vector, scored in batches.

Each entry has a mean m and a covariance C (`moment_bank.py`); refreshed now and then:
s = diag(C)^-1/2, L L' = s C s + ridge I, z = clip((f - m) s, +-20), score = rms(L^-1 z).

N = tiles, R = rows of a tile, A = explained events, B = events, E = entries, F = features,
P = parts, X = features before a projection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from streamssl.arithmetic.missing import missing_to_zero
from streamssl.arithmetic.moments import deviation
from streamssl.arithmetic.tiles import Tiling, grouped_matmul, tile_rows
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import Runs, check_shape, of_rows
from streamssl.scorers import attribution
from streamssl.scorers.moment_bank import SEED_ROWS, MomentBank, extended

# docs/research-log.md, "Constants of the arithmetic"
CLIP = 20.0
LEAST_RIDGE = 1e-6
REFRESH_MIN = 32
REFRESH_MAX = 512
REFRESH_SHARE = 1.0 / 32.0
REFRESH_COST = 2_048.0  # a wide vector is refreshed less often: the cost grows with its cube
STATE = (
    "weight_E",
    "unrefreshed_E",
    "mean_EF",
    "covariance_EFF",
    "inverse_scale_EF",
    "whiten_EFF",
)


class Distances(NamedTuple):
    """Distances of a batch to the entries of its rows, and where they grow the fastest.

    Attributes:
        score_B: As `GaussianBank.distances` gives it.
        gradient_BF: P z, P = (L L')^-1: the gradient of half the squared distance by z; 0 where
            nothing was learned.
    """

    score_B: FloatArray
    gradient_BF: Float32Array


class GaussianBank(MomentBank):
    """Running Gaussians: entry 0 for all keys together, the others for one key each.

    Args:
        num_features: F.
        ridge: Added to the diagonal of the correlation matrix.
        early_F: Features whose ridge is larger while an entry is young, by a factor of
            1 + early / rows; None for none.

    Attributes:
        origin_EF: What was taken off the rows: a flat feature's deviation goes by its level.
        unrefreshed_E: Weight learned since the whitening was renewed.
        inverse_scale_EF: s.
        whiten_EFF: L^-T, so that z' L^-T is white; 0 where nothing was learned.
        precision_EF: Diagonal of P.
    """

    def __init__(
        self, *, num_features: int, ridge: float, early_F: FloatArray | None = None
    ) -> None:
        super().__init__(num_features=num_features)
        self.early_F = np.zeros(num_features) if early_F is None else early_F
        self.ridge = ridge + LEAST_RIDGE
        self.unrefreshed_E = np.zeros(0)
        self.origin_EF = np.zeros((0, num_features))
        self.inverse_scale_EF = np.ones((0, num_features), np.float32)
        self.whiten_EFF = np.zeros((0, num_features, num_features), np.float32)
        self.precision_EF = np.zeros((0, num_features), np.float32)
        self.ensure(1)

    def bytes_per_entry(self) -> int:
        """Bytes that one entry takes."""
        return sum(getattr(self, name)[0].nbytes for name in STATE)

    def ensure(self, num_entries: int) -> None:
        """Have at least `num_entries` entries; new ones have learned nothing."""
        super().ensure(num_entries)
        for name in ("unrefreshed_E", "origin_EF", "whiten_EFF", "precision_EF"):
            setattr(self, name, extended(getattr(self, name), num_entries))
        self.inverse_scale_EF = extended(self.inverse_scale_EF, num_entries, fill=1.0)

    def fitted(self, rows: int) -> BoolArray:
        """`[E]` whether an entry has learned at least `rows` rows and was refreshed."""
        return (self.weight_E >= rows) & self.is_whitened_E

    @property
    def is_whitened_E(self) -> BoolArray:  # noqa: N802 - a shape suffix
        """`[E]` whether an entry has learned enough to be measured against."""
        return self.whiten_EFF[:, 0, 0] > 0

    def distances(self, tiling: Tiling, x_BF: Float32Array) -> FloatArray:
        """`[B]` root mean square of each row's whitened residual; 0 where nothing was learned.

        score = rms(L^-1 z), of the Gaussian of the row's entry; NaN features count as the mean.

        Args:
            tiling: The batch laid out by the entries of its rows.
            x_BF: The rows.
        """
        return self._scores(tiling, self._whitened(tiling, x_BF))

    def distances_and_gradients(self, tiling: Tiling, x_BF: Float32Array) -> Distances:
        """The same distances with P z = L^-T (L^-1 z)."""
        y_NRF = self._whitened(tiling, x_BF)
        gradient_NRF = grouped_matmul(y_NRF, tiling.group_N, self.whiten_EFF.transpose(0, 2, 1))
        gradient_BF = gradient_NRF.reshape(-1, self.num_features)[tiling.place_B]
        return Distances(self._scores(tiling, y_NRF), gradient_BF)

    def standing_out(self, entry_B: IntArray, gradient_BF: Float32Array) -> Float32Array:
        """`[B, F]` |g_f| / sqrt(P_ff): how far each feature is from what the others say.

        Args:
            entry_B: Entry of each row.
            gradient_BF: Of `distances_and_gradients`.
        """
        runs = Runs(entry_B)
        least_KF = np.maximum(self.precision_EF[runs.slots], np.float32(attribution.SMALLEST))
        size_BF: Float32Array = np.abs(gradient_BF)
        size_BF *= of_rows(1.0 / np.sqrt(least_KF), runs.group)
        return size_BF

    def contributions(
        self,
        entry_A: IntArray,
        gradient_AF: Float32Array,
        num_parts: int,
        projection_XF: Float32Array | None = None,
    ) -> FloatArray:
        """`[A, P]` what each part adds to the squared distance; 0 where nothing was learned.

        Reconstruction-based contributions (`attribution.py`).

        Args:
            entry_A: Entry of each row.
            gradient_AF: Of `distances_and_gradients`.
            num_parts: P; features (or, before a projection, inputs) have the part fastest.
            projection_XF: The projection that the features went through, None for none.
        """
        total_AP = np.zeros((len(gradient_AF), num_parts))
        for entry, rows in rows_by_entry(entry_A):
            whiten_FF, gradient_RF = self.whiten_EFF[entry], gradient_AF[rows]
            if not self.is_whitened_E[entry]:
                continue
            if projection_XF is None:
                total_AP[rows] = attribution.block_contributions(gradient_RF, whiten_FF, num_parts)
            else:
                direction_XF = projection_XF * self.inverse_scale_EF[entry]
                total_AP[rows] = attribution.projected_contributions(
                    gradient_RF, whiten_FF, direction_XF, num_parts
                )
        return total_AP

    def shares(
        self,
        entry_A: IntArray,
        x_AF: Float32Array,
        num_parts: int,
        projection_XF: Float32Array | None = None,
    ) -> FloatArray:
        """`[A, P]` c_p / (F s^2): what each part explains of the squared distance of a row.

        Args:
            entry_A: Entry of each row.
            x_AF: The rows.
            num_parts: P.
            projection_XF: As of `contributions`.
        """
        score_A, gradient_AF = self.distances_and_gradients(tile_rows(entry_A), x_AF)
        total_AP = self.contributions(entry_A, gradient_AF, num_parts, projection_XF)
        squared_A = self.num_features * score_A**2
        return total_AP / np.maximum(squared_A, 1e-300)[:, None]

    def _whitened(self, tiling: Tiling, x_BF: Float32Array) -> Float32Array:
        """`[N, R, F]` L^-1 z of the rows in their tiles."""
        z_NRF = self._standardised(x_BF.take(tiling.row_NR, axis=0), tiling.group_N)
        return grouped_matmul(z_NRF, tiling.group_N, self.whiten_EFF)

    def _scores(self, tiling: Tiling, y_NRF: Float32Array) -> FloatArray:
        """`[B]` sqrt(mean_f y_f^2), in the order of the batch."""
        score_NR = np.sqrt(np.einsum("nrf,nrf->nr", y_NRF, y_NRF) / self.num_features)
        score_B: FloatArray = score_NR.reshape(-1)[tiling.place_B].astype(np.float64)
        return score_B

    def _standardised(self, x_NRF: Float32Array, group_N: IntArray) -> Float32Array:
        """In place: z = clip((x - m) s, +-20); a missing value counts as the mean."""
        with np.errstate(over="ignore"):
            x_NRF -= self.mean_EF[group_N, None].astype(np.float32)
            x_NRF *= self.inverse_scale_EF[group_N, None]
            missing_to_zero(x_NRF)
        return np.clip(x_NRF, -CLIP, CLIP, out=x_NRF)

    def learn(
        self, entry_B: IntArray, x_BF: Float32Array, weight_B: FloatArray, *, refresh: bool = True
    ) -> None:
        """Learn weighted rows in the given order, then refresh the entries that are due.

        An entry of weight n is due after clip(n max(1/32, F/2048), 32, 512) further rows. Without
        `refresh` the whitening stays as it is, until somebody needs it.
        """
        if len(entry_B):
            runs = Runs(entry_B)
            self.unrefreshed_E[runs.slots] += self.learn_rows(runs, x_BF, weight_B)
        if refresh:
            share = max(REFRESH_SHARE, self.num_features / REFRESH_COST)
            due_E = np.clip(self.weight_E * share, REFRESH_MIN, REFRESH_MAX)
            self.refresh(np.flatnonzero(self.unrefreshed_E >= due_E))

    def refresh(self, entries: IntArray) -> None:
        """Renew the whitening L^-T of `entries`: L L' = s C s + diag(ridge) (Cholesky)."""
        if not len(entries):
            return
        covariance = self.covariance_EFF[entries].astype(np.float64)
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        scale = deviation(self.mean_EF[entries] + self.origin_EF[entries], variance)
        inverse_scale = 1.0 / scale
        correlation = covariance * inverse_scale[:, :, None]
        correlation *= inverse_scale[:, None, :]
        early_E1 = 1.0 / np.maximum(self.weight_E[entries], 1.0)[:, None]
        ridge_EF = self.ridge * (1.0 + self.early_F * early_E1)
        np.einsum("eff->ef", correlation)[...] += ridge_EF
        lower = torch.from_numpy(np.linalg.cholesky(correlation))
        one = torch.eye(self.num_features, dtype=lower.dtype)
        inverse = torch.linalg.solve_triangular(lower, one, upper=False).numpy()
        self.whiten_EFF[entries] = inverse.transpose(0, 2, 1)
        self.inverse_scale_EF[entries] = inverse_scale
        self.unrefreshed_E[entries] = 0.0
        self._renew_precision(entries)

    def _renew_precision(self, entries: IntArray) -> None:
        """P_ff = sum_g W_fg^2 with W = L^-T."""
        whiten = self.whiten_EFF[entries]
        self.precision_EF[entries] = np.einsum("efg,efg->ef", whiten, whiten)

    def seed_entry(
        self, entry: int, center_F: FloatArray, scale_F: FloatArray, rows: float = SEED_ROWS
    ) -> None:
        """Begin `entry` with the moments of entry 0, and whiten by them if entry 0 does."""
        super().seed_entry(entry, center_F, scale_F, rows)
        self.whiten_EFF[entry] = self.precision_EF[entry] = 0.0
        self.inverse_scale_EF[entry] = 1.0
        self.unrefreshed_E[entry] = 0.0
        if self.fitted(0)[0] and self.weight_E[entry] > 0:
            self.refresh(np.array([entry]))

    def state_dict(self) -> dict[str, Any]:
        """Moments and whitening of all entries."""
        return {name: getattr(self, name).copy() for name in STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over moments and whitening; the precision follows from them.

        Raises:
            ValueError: They are of another number of features.
        """
        for name in STATE:
            check_shape(name, state[name], getattr(self, name).shape[1:])
            setattr(self, name, np.array(state[name]))
        self.ensure(len(self.weight_E))
        self.precision_EF = np.zeros((len(self.weight_E), self.num_features), np.float32)
        self._renew_precision(np.arange(len(self.weight_E)))


def rows_by_entry(entry_B: IntArray) -> list[tuple[int, BoolArray]]:
    """(entry, its rows) for every entry of a batch."""
    return [(entry, entry_B == entry) for entry in np.unique(entry_B).tolist()]
