"""Many running Gaussians over one feature vector, scored and learned in batches.

Each entry holds a mean m and a covariance C of the rows it learned; refreshed now and then:
s = diag(C)^-1/2, L L' = s C s + ridge I, z = clip((f - m) s, +-20), score = rms(L^-1 z).

Rows come as float32, and what is made of them stays so: a row is centred before it is multiplied.

N = tiles, R = rows of a tile, B = events, E = entries, K = entries of a batch, F = features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from streamssl.arithmetic.moments import deviation, learning_rate
from streamssl.arithmetic.tiles import Tiling
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import Runs, check_shape
from streamssl.scorers import attribution

CLIP = 20.0
FARTHEST = 1e15  # of a row from the mean, while it is learned: squares stay within float32
SEED_ROWS = 256.0  # most rows that an entry's beginning is worth
REFRESH_MIN = 32
REFRESH_MAX = 512
REFRESH_SHARE = 1.0 / 32.0
REFRESH_COST = 2_048.0  # a wide vector is refreshed less often: the cost grows with its cube


class Pulled(NamedTuple):
    """Distances of a batch to the entries of its rows, and which way they pull.

    Attributes:
        score_B: As `GaussianBank.distances` gives it.
        pull_BF: C^-1 z, the gradient of half the squared distance; 0 where nothing was learned.
    """

    score_B: FloatArray
    pull_BF: Float32Array


class GaussianBank:
    """Running Gaussians: entry 0 for all keys together, the others for one key each.

    Args:
        num_features: F.
        ridge: Added to the diagonal of the correlation matrix.
    """

    def __init__(self, *, num_features: int, ridge: float) -> None:
        self.num_features, self.ridge = num_features, ridge + 1e-6
        self.weight_E = np.zeros(0)
        self.unrefreshed_E = np.zeros(0)
        self.mean_EF = np.zeros((0, num_features))
        self.covariance_EFF = np.zeros((0, num_features, num_features), np.float32)
        self.inverse_scale_EF = np.ones((0, num_features), np.float32)
        self.whiten_EFF = np.zeros((0, num_features, num_features), np.float32)
        self.precision_EF = np.zeros((0, num_features), np.float32)  # its diagonal
        self.ensure(1)

    def bytes_per_entry(self) -> int:
        """Bytes that one entry takes."""
        return sum(getattr(self, name)[0].nbytes for name in STATE)

    def ensure(self, num_entries: int) -> None:
        """Have at least `num_entries` entries; new ones have learned nothing."""
        missing = num_entries - len(self.weight_E)
        if missing <= 0:
            return
        for name in STATE:
            old = getattr(self, name)
            fill = 1.0 if name == "inverse_scale_EF" else 0.0
            new = np.full((missing, *old.shape[1:]), fill, old.dtype)
            setattr(self, name, np.concatenate([old, new]))
        self.precision_EF = np.pad(self.precision_EF, ((0, missing), (0, 0)))

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

    def pulled(self, tiling: Tiling, x_BF: Float32Array) -> Pulled:
        """The same distances, with their gradients."""
        y_NRF = self._whitened(tiling, x_BF)
        pull_NRF = np.empty_like(y_NRF)
        for entry, tiles in _runs_of(tiling.group_N):
            np.matmul(y_NRF[tiles], self.whiten_EFF[entry].T, out=pull_NRF[tiles])
        pull_BF = pull_NRF.reshape(-1, self.num_features)[tiling.place_B]
        return Pulled(self._scores(tiling, y_NRF), pull_BF)

    def contributions(
        self,
        entry_A: IntArray,
        pull_AF: Float32Array,
        num_parts: int,
        projection_XF: Float32Array | None = None,
    ) -> FloatArray:
        """`[A, P]` what each part adds to the squared distance; 0 where nothing was learned.

        Args:
            entry_A: Entry of each row.
            pull_AF: Of `pulled`.
            num_parts: P; features (or, before a projection, inputs) have the part fastest.
            projection_XF: The projection that the features went through, None for none.
        """
        total_AP = np.zeros((len(pull_AF), num_parts))
        for entry, rows in rows_by_entry(entry_A):
            whiten_FF, pull_RF = self.whiten_EFF[entry], pull_AF[rows]
            if not self.is_whitened_E[entry]:
                continue
            if projection_XF is None:
                total_AP[rows] = attribution.block_contributions(pull_RF, whiten_FF, num_parts)
            else:
                direction_XF = projection_XF * self.inverse_scale_EF[entry]
                total_AP[rows] = attribution.projected_contributions(
                    pull_RF, whiten_FF, direction_XF, num_parts
                )
        return total_AP

    def _whitened(self, tiling: Tiling, x_BF: Float32Array) -> Float32Array:
        z_NRF = self._whitenable(x_BF[tiling.row_NR], tiling.group_N)
        y_NRF = np.empty_like(z_NRF)
        for entry, tiles in _runs_of(tiling.group_N):
            np.matmul(z_NRF[tiles], self.whiten_EFF[entry], out=y_NRF[tiles])
        return y_NRF

    def _scores(self, tiling: Tiling, y_NRF: Float32Array) -> FloatArray:
        score_NR = np.sqrt(np.einsum("nrf,nrf->nr", y_NRF, y_NRF) / self.num_features)
        score_B: FloatArray = score_NR.reshape(-1)[tiling.place_B].astype(np.float64)
        return score_B

    def _whitenable(self, x_NRF: Float32Array, group_N: IntArray) -> Float32Array:
        """Rows become z, in place."""
        with np.errstate(over="ignore"):
            x_NRF -= self.mean_EF[group_N, None].astype(np.float32)
            x_NRF *= self.inverse_scale_EF[group_N, None]
            if np.isnan(x_NRF.sum()):
                np.nan_to_num(x_NRF, copy=False, nan=0.0)
        return np.clip(x_NRF, -CLIP, CLIP, out=x_NRF)

    def learn(
        self, entry_B: IntArray, x_BF: Float32Array, weight_B: FloatArray, *, refresh: bool = True
    ) -> None:
        """Learn weighted rows in the given order, then refresh the entries that are due.

        Without `refresh` the whitening stays as it is, until somebody needs it.
        """
        if len(entry_B):
            self._learn(Runs(entry_B), x_BF, weight_B)
        if refresh:
            share = max(REFRESH_SHARE, self.num_features / REFRESH_COST)
            due_E = np.clip(self.weight_E * share, REFRESH_MIN, REFRESH_MAX)
            self.refresh(np.flatnonzero(self.unrefreshed_E >= due_E))

    def _learn(self, runs: Runs, x_BF: Float32Array, weight_B: FloatArray) -> None:
        """C <- (1 - r) C + r (W + (1 - r) d d'): W the rows' covariance, d the mean's shift."""
        entry_K, row_B = runs.slots, runs.order
        total_K = np.maximum(np.add.reduceat(weight_B[row_B], runs.starts), 1e-300)
        self.weight_E[entry_K] += total_K
        self.unrefreshed_E[entry_K] += total_K
        rate_K = learning_rate(self.weight_E[entry_K], total_K)
        group_B = runs.group[row_B]
        share_B1 = (weight_B[row_B] / total_K[group_B]).astype(np.float32)[:, None]
        about_KF = self.mean_EF[entry_K].astype(np.float32)
        gap_BF = _gaps(x_BF[row_B], about_KF[group_B])
        move_KF = np.add.reduceat(gap_BF * share_B1, runs.starts, axis=0)
        gap_BF -= move_KF[group_B]
        gap_BF *= np.sqrt(share_B1 * rate_K[group_B, None].astype(np.float32))
        shift_KF = about_KF - self.mean_EF[entry_K] + move_KF
        self.mean_EF[entry_K] += rate_K[:, None] * shift_KF
        shift_KF *= np.sqrt(rate_K * (1.0 - rate_K))[:, None]
        self._add(runs, gap_BF, shift_KF.astype(np.float32), (1.0 - rate_K).astype(np.float32))

    def _add(
        self, runs: Runs, gap_BF: Float32Array, shift_KF: Float32Array, keep_K: Float32Array
    ) -> None:
        """C <- keep C + G' G for the rows G of each entry, the shift of its mean among them."""
        starts = runs.starts + np.arange(len(runs.starts))
        stops = starts + runs.counts
        rows = np.empty((len(gap_BF) + len(starts), self.num_features), np.float32)
        rows[np.arange(len(gap_BF)) + runs.group[runs.order]] = gap_BF
        rows[stops] = shift_KF
        bounds = zip(runs.slots.tolist(), starts.tolist(), (stops + 1).tolist(), strict=True)
        for (entry, start, stop), keep in zip(bounds, keep_K, strict=True):
            covariance, gram = self.covariance_EFF[entry], rows[start:stop].T @ rows[start:stop]
            covariance *= keep
            covariance += gram

    def refresh(self, entries: IntArray) -> None:
        """Renew the whitening of `entries` from their mean and covariance."""
        if not len(entries):
            return
        covariance = self.covariance_EFF[entries].astype(np.float64)
        variance = np.diagonal(covariance, axis1=1, axis2=2)
        scale = deviation(self.mean_EF[entries], variance)
        correlation = covariance / (scale[:, :, None] * scale[:, None, :])
        correlation += self.ridge * np.eye(self.num_features)
        lower = torch.from_numpy(np.linalg.cholesky(correlation))
        one = torch.eye(self.num_features, dtype=lower.dtype)
        inverse = torch.linalg.solve_triangular(lower, one, upper=False).numpy()
        self.whiten_EFF[entries] = inverse.transpose(0, 2, 1)
        self.inverse_scale_EF[entries] = 1.0 / scale
        self.unrefreshed_E[entries] = 0.0
        self._note_precision(entries)

    def _note_precision(self, entries: IntArray) -> None:
        whiten = self.whiten_EFF[entries]
        self.precision_EF[entries] = np.einsum("efg,efg->ef", whiten, whiten)

    def seed_entry(
        self, entry: int, center_F: FloatArray, scale_F: FloatArray, rows: float = SEED_ROWS
    ) -> None:
        """Begin `entry` with what all keys together have learned, worth at most `rows` rows.

        Entry 0 holds features standardised per key: `center_F` and `scale_F` lead back to the
        units of the key.
        """
        self.weight_E[entry] = min(rows, self.weight_E[0])
        self.mean_EF[entry] = center_F + scale_F * self.mean_EF[0]
        self.covariance_EFF[entry] = self.covariance_EFF[0] * np.outer(scale_F, scale_F)
        self.whiten_EFF[entry] = self.precision_EF[entry] = 0.0
        self.inverse_scale_EF[entry] = 1.0
        self.unrefreshed_E[entry] = 0.0
        if self.fitted(0)[0] and self.weight_E[entry] > 0:
            self.refresh(np.array([entry]))

    def state_dict(self) -> dict[str, Any]:
        """All entries."""
        return {name: getattr(self, name).copy() for name in STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for name in STATE:
            check_shape(name, state[name], getattr(self, name).shape[1:])
            setattr(self, name, np.array(state[name]))
        self.precision_EF = np.zeros((len(self.weight_E), self.num_features), np.float32)
        self._note_precision(np.arange(len(self.weight_E)))


STATE = (
    "weight_E",
    "unrefreshed_E",
    "mean_EF",
    "covariance_EFF",
    "inverse_scale_EF",
    "whiten_EFF",
)


def _gaps(x_BF: Float32Array, mean_BF: Float32Array) -> Float32Array:
    """Rows about their mean, in place; a missing value counts as the mean."""
    with np.errstate(over="ignore"):
        x_BF -= mean_BF
        if np.isnan(x_BF.sum()):
            np.nan_to_num(x_BF, copy=False, nan=0.0)
    return np.clip(x_BF, -FARTHEST, FARTHEST, out=x_BF)


def rows_by_entry(entry_B: IntArray) -> list[tuple[int, BoolArray]]:
    """(entry, its rows) for every entry of a batch."""
    return [(entry, entry_B == entry) for entry in np.unique(entry_B).tolist()]


def _runs_of(group_N: IntArray) -> Iterator[tuple[int, slice]]:
    """(entry, its tiles) for tiles that are grouped by entry."""
    entries, starts = np.unique(group_N, return_index=True)
    stops = [*starts.tolist(), len(group_N)][1:]
    for entry, start, stop in zip(entries.tolist(), starts.tolist(), stops, strict=True):
        yield entry, slice(start, stop)
