"""Running weight, mean and covariance of many entries, learned from weighted rows in batches.

Rows come as float32, and what is made of them stays so: a row is centred before it is multiplied.

B = events, E = entries, K = entries of a batch, F = features.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamssl.arithmetic.moments import learning_rate
from streamssl.data.events import Float32Array, FloatArray
from streamssl.data.keys import Runs

# docs/research-log.md, "Constants of the arithmetic"
FARTHEST = 1e15  # of a row from the mean, while it is learned: squares stay within float32
SEED_ROWS = 256.0  # most rows that an entry's beginning is worth
MOMENTS = ("weight_E", "mean_EF", "covariance_EFF")


class MomentBank:
    """Moments of one feature vector: entry 0 of all keys together, the others of one key each.

    Args:
        num_features: F.

    Attributes:
        weight_E: Rows learned, by weight.
        mean_EF: Their mean m.
        covariance_EFF: Their covariance C.
    """

    def __init__(self, *, num_features: int) -> None:
        self.num_features = num_features
        self.weight_E = np.zeros(0)
        self.mean_EF = np.zeros((0, num_features))
        self.covariance_EFF = np.zeros((0, num_features, num_features), np.float32)

    def ensure(self, num_entries: int) -> None:
        """Have at least `num_entries` entries; new ones have learned nothing."""
        for name in MOMENTS:
            setattr(self, name, extended(getattr(self, name), num_entries))

    def learn_rows(self, runs: Runs, x_BF: Float32Array, weight_B: FloatArray) -> FloatArray:
        """C <- (1 - r) C + r (W + (1 - r) d d'): W the rows' covariance, d the mean's shift.

        m <- m + r d, with r = `learning_rate` of the rows' weight among all that was learned.

        Args:
            runs: How the rows fall to entries.
            x_BF: The rows in the given order; NaN counts as the mean.
            weight_B: Weight of each.

        Returns:
            `[K]` weight that each entry gained.
        """
        entry_K, row_B = runs.slots, runs.order
        total_K = np.maximum(np.add.reduceat(weight_B[row_B], runs.starts), 1e-300)
        self.weight_E[entry_K] += total_K
        rate_K = learning_rate(self.weight_E[entry_K], total_K)
        group_B = runs.group[row_B]
        share_B1 = (weight_B[row_B] / total_K[group_B]).astype(np.float32)[:, None]
        about_KF = self.mean_EF[entry_K].astype(np.float32)
        centred_BF = _centred(x_BF[row_B], about_KF[group_B])
        move_KF = np.add.reduceat(centred_BF * share_B1, runs.starts, axis=0)
        centred_BF -= move_KF[group_B]
        centred_BF *= np.sqrt(share_B1 * rate_K[group_B, None].astype(np.float32))
        shift_KF = about_KF - self.mean_EF[entry_K] + move_KF
        self.mean_EF[entry_K] += rate_K[:, None] * shift_KF
        shift_KF *= np.sqrt(rate_K * (1.0 - rate_K))[:, None]
        keep_K = (1.0 - rate_K).astype(np.float32)
        self._add_products(runs, centred_BF, shift_KF.astype(np.float32), keep_K)
        return total_K

    def _add_products(
        self, runs: Runs, centred_BF: Float32Array, shift_KF: Float32Array, keep_K: Float32Array
    ) -> None:
        """C <- keep C + G' G for the rows G of each entry, the shift of its mean among them."""
        starts = runs.starts + np.arange(len(runs.starts))
        stops = starts + runs.counts
        rows = np.empty((len(centred_BF) + len(starts), self.num_features), np.float32)
        rows[np.arange(len(centred_BF)) + runs.group[runs.order]] = centred_BF
        rows[stops] = shift_KF
        bounds = zip(runs.slots.tolist(), starts.tolist(), (stops + 1).tolist(), strict=True)
        for (entry, start, stop), keep in zip(bounds, keep_K, strict=True):
            covariance, gram = self.covariance_EFF[entry], rows[start:stop].T @ rows[start:stop]
            covariance *= keep
            covariance += gram

    def seed_entry(
        self, entry: int, center_F: FloatArray, scale_F: FloatArray, rows: float = SEED_ROWS
    ) -> None:
        """Begin `entry` with the moments of entry 0: m = center + scale m_0, C = S C_0 S.

        Args:
            entry: It forgets what it learned before.
            center_F: Mean of the key's features: those of entry 0 are standardised per key.
            scale_F: Deviation of the key's features, the diagonal of S.
            rows: Most rows that the beginning is worth.
        """
        self.weight_E[entry] = min(rows, self.weight_E[0])
        self.mean_EF[entry] = center_F + scale_F * self.mean_EF[0]
        self.covariance_EFF[entry] = self.covariance_EFF[0] * np.outer(scale_F, scale_F)


def extended(
    array: npt.NDArray[np.floating], num_rows: int, fill: float = 0.0
) -> npt.NDArray[np.floating]:
    """The array with rows of `fill` behind its own, so that it has at least `num_rows`."""
    missing = num_rows - len(array)
    if missing <= 0:
        return array
    return np.concatenate([array, np.full((missing, *array.shape[1:]), fill, array.dtype)])


def _centred(x_BF: Float32Array, mean_BF: Float32Array) -> Float32Array:
    """Rows about their mean, in place; a missing value counts as the mean."""
    with np.errstate(over="ignore"):
        x_BF -= mean_BF
        if np.isnan(x_BF.sum()):
            np.nan_to_num(x_BF, copy=False, nan=0.0)
    return np.clip(x_BF, -FARTHEST, FARTHEST, out=x_BF)
