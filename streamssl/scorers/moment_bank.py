"""Running weight, mean and covariance of many entries, learned from weighted rows in batches.

Rows come as float32, and what is made of them stays so: a row is centred before it is multiplied.

B = events, E = entries, K = entries of a batch, F = features.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamssl.arithmetic.moments import learning_rate
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import Runs, of_rows

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
        entry_K, group_S = runs.slots, runs.sorted(runs.group)
        weight_S = runs.sorted(weight_B)
        total_K = np.maximum(np.add.reduceat(weight_S, runs.starts), 1e-300)
        self.weight_E[entry_K] += total_K
        rate_K = learning_rate(self.weight_E[entry_K], total_K)
        share_S1 = (weight_S / of_rows(total_K, group_S)).astype(np.float32)[:, None]
        about_KF = self.mean_EF[entry_K].astype(np.float32)
        # Rows G of each entry, and behind them one for the shift of its mean.
        rows_LF = np.empty((len(x_BF) + len(entry_K), self.num_features), np.float32)
        place = slice(-1) if len(entry_K) == 1 else np.arange(len(x_BF)) + group_S
        centred_SF = _centred(runs.sorted(x_BF), of_rows(about_KF, group_S), out=rows_LF[place])
        move_KF = _sums(runs, share_S1[:, 0], centred_SF)
        centred_SF -= of_rows(move_KF, group_S)
        rate_K1 = rate_K[:, None].astype(np.float32)
        centred_SF *= np.sqrt(share_S1 * of_rows(rate_K1, group_S))
        shift_KF = about_KF - self.mean_EF[entry_K] + move_KF
        self.mean_EF[entry_K] += rate_K[:, None] * shift_KF
        shift_KF *= np.sqrt(rate_K * (1.0 - rate_K))[:, None]
        if len(entry_K) > 1:
            rows_LF[place] = centred_SF
        stops_K = runs.starts + runs.counts + np.arange(len(entry_K))
        rows_LF[stops_K] = shift_KF
        self._add_products(entry_K, rows_LF, stops_K + 1, (1.0 - rate_K).astype(np.float32))
        return total_K

    def _add_products(
        self, entry_K: IntArray, rows_LF: Float32Array, stop_K: IntArray, keep_K: Float32Array
    ) -> None:
        """C <- keep C + G' G for the rows G of each entry, that stand one entry after another."""
        start = 0
        for entry, stop, keep in zip(entry_K.tolist(), stop_K.tolist(), keep_K, strict=True):
            covariance, rows = self.covariance_EFF[entry], rows_LF[start:stop]
            covariance *= keep
            covariance += rows.T @ rows
            start = stop

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


def _sums(runs: Runs, weight_S: Float32Array, x_SF: Float32Array) -> Float32Array:
    """`[K, F]` weighted sum of the sorted rows of each entry, one product an entry."""
    pairs = zip(runs.starts.tolist(), (runs.starts + runs.counts).tolist(), strict=True)
    return np.stack([weight_S[start:stop] @ x_SF[start:stop] for start, stop in pairs])


def _centred(x_BF: Float32Array, mean_BF: Float32Array, out: Float32Array) -> Float32Array:
    """Rows about their mean; a missing value counts as the mean."""
    with np.errstate(over="ignore"):
        np.subtract(x_BF, mean_BF, out=out)
        flat = out.reshape(-1)
        if np.dot(flat, flat) < FARTHEST**2:  # So none is missing, and none further.
            return out
    np.nan_to_num(out, copy=False, nan=0.0)
    return np.clip(out, -FARTHEST, FARTHEST, out=out)
