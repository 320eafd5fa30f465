"""Explains what the statistical core found: shares per channel, and the expected values.

A = explained events, C = channels, F = features.
"""

from __future__ import annotations

import numpy as np

from streamssl.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.scorers import attribution
from streamssl.scorers.base import Measured, Seen
from streamssl.scorers.gaussian_bank import CLIP, GaussianBank
from streamssl.scorers.gaussian_core import PARTS, GaussianCore
from streamssl.scorers.inputs import ChannelVector
from streamssl.scorers.tiles import tile_rows


class CoreExplanation:
    """Attribution and expected values from the core's Gaussians.

    Args:
        core: It is only read.
        leaky_CH: Input weights of the leaky units.
    """

    def __init__(self, *, core: GaussianCore, leaky_CH: FloatArray) -> None:
        self.core, self.leaky_CH = core, leaky_CH

    def contributions(self, seen: Seen) -> FloatArray:
        """`[A, C]` share of the four squared distances that each channel explains, summed."""
        measured = seen.measured
        total_AC = np.zeros_like(measured.center_BC)
        for column, part in enumerate(PARTS):
            pull_AF = self._pull(measured, part)
            bank = self.core.banks[part]
            squared_A = bank.num_features * measured.scores_BP[:, column] ** 2
            for entry, rows in _by_entry(measured.entry_B):
                found = self._part(part, bank, entry, pull_AF[rows], seen.take(rows))
                total_AC[rows] += found / np.maximum(squared_A[rows], 1e-300)[:, None]
        return total_AC

    def _part(
        self, part: str, bank: GaussianBank, entry: int, pull_AF: Float32Array, seen: Seen
    ) -> FloatArray:
        """Contributions of the channels to one part's squared distance."""
        whiten = bank.whiten_EFF[entry]
        if not whiten[0, 0]:
            return np.zeros((len(seen), len(self.leaky_CH)))
        if part == "leaky":
            units = attribution.single_contributions(pull_AF, whiten)
            return attribution.channels_of_units(units, seen.standardised(), self.leaky_CH)
        vector = self._vector(part)
        if vector.projected:
            direction_XF = vector.projection() * bank.inverse_scale_EF[entry]
            return attribution.projected_contributions(
                pull_AF, whiten, direction_XF, vector.num_channels
            )
        return attribution.block_contributions(pull_AF, whiten, vector.num_channels)

    def expected(self, measured: Measured) -> FloatArray:
        """`[A, C]` newest values that the lagged Gaussian predicts from everything else.

        In the input's units. For channels that are projected: the key's running mean.
        """
        vector, bank = self.core.lagged, self.core.banks["lagged"]
        expected_AC = measured.center_BC.copy()
        if vector.projected:
            return expected_AC
        newest = slice(-vector.num_channels, None)
        shared_B = measured.entry_B == 0
        x_AF = self.core.shared(measured, shared_B)["lagged"][:, newest]
        pull_AF = self._pull(measured, "lagged")
        for entry, rows in _by_entry(measured.entry_B):
            whiten, scale = bank.whiten_EFF[entry], bank.inverse_scale_EF[entry, newest]
            if not whiten[0, 0]:
                continue
            mean = bank.mean_EF[entry, newest]
            z_AC = np.clip(np.nan_to_num((x_AF[rows] - mean) * scale, nan=0.0), -CLIP, CLIP)
            step = pull_AF[rows] / np.einsum("fg,fg->f", whiten, whiten)
            expected_AC[rows] = mean + (z_AC - step[:, newest]) / scale
        units = measured.center_BC + measured.scale_BC * expected_AC
        fitted_B = shared_B & (bank.whiten_EFF[0, 0, 0] > 0)
        return np.where(fitted_B[:, None], units, expected_AC)

    def _vector(self, part: str) -> ChannelVector:
        return self.core.averaged if part == "averaged" else self.core.lagged

    def _pull(self, measured: Measured, part: str) -> Float32Array:
        """Gradient of half the squared distance with respect to the standardised features."""
        x_BF = self.core.shared(measured, measured.entry_B == 0)[part]
        tiling = tile_rows(measured.entry_B)
        distances = self.core.banks[part].distances(tiling, x_BF, pull=True)
        assert distances.pull_BF is not None
        return distances.pull_BF


def _by_entry(entry_B: IntArray) -> list[tuple[int, BoolArray]]:
    """(entry, its rows) for every entry of the batch."""
    return [(entry, entry_B == entry) for entry in np.unique(entry_B).tolist()]
