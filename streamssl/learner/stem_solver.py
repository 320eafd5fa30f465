"""When the closed-form slices of an embedding are solved, and what the new space has of the old.

B = events, N = kept events, A = anchors, S = blocks, P = parts, D = dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from streamssl.arithmetic.reservoir import offered
from streamssl.data.events import BoolArray, Float32Array
from streamssl.data.inputs import Inputs, take_inputs
from streamssl.modalities.base import Stem
from streamssl.objectives.closed_form import LinearMap, anchor_cosine, embedded, fitted

# docs/research-log.md, "Constants of the arithmetic"
FIRST_ROWS_A_KEY = 256
MOST_FIRST_ROWS = 16_384
LEAST_ABSORBED = 64.0  # rows of each slice
ALL_ROWS = 4_096  # of which every one is absorbed, then so many between n and e n rows
LARGEST_SHARE = 1.0 / 8.0  # of those after a shift
SHIFT_ROWS = 4_000  # of the new normal, after which it is worth a solution
SHIFT_MEMORY = 0.1  # of what was absorbed before it
SHIFT_SHARE = 0.5  # of the keys
NUM_ANCHORS = 1_000


class Solution(NamedTuple):
    """What a solution changed.

    Attributes:
        reason: `warm-up`, `doubling` or `shift`.
        maps: Old -> new of each slice, by name; none at the first solution.
        cosine: Median cosine of the anchors, half of which the map was fitted on, the other half
            measured; NaN where there is no map.
        cosine_unmapped: The same without the maps.
    """

    reason: str
    maps: Mapping[str, LinearMap]
    cosine: float
    cosine_unmapped: float


class StemSolver:
    """Lets a stem absorb epochs, solves it at doublings of the rows, and maps old to new.

    Args:
        stem: The slices and their features.

    Attributes:
        block_map: The first slice's map from the blocks of windows; None before it is solved.
    """

    def __init__(self, stem: Stem) -> None:
        self.stem = stem
        self.rows = self.solved = 0
        self._num_shifted, self._shifted_at = 0, -1
        self._anchors: Inputs = {}
        self._num_offered = 0
        self.block_map: LinearMap | None = None

    @property
    def sample_share(self) -> float:
        """Share of the next rows that is absorbed: of the first ones all, of many ever fewer."""
        rows = max(self.rows, 1)
        return LARGEST_SHARE if self._shifted_at >= 0 else min(1.0, ALL_ROWS / rows)

    def of_blocks(self, blocks_BSP: Float32Array) -> Float32Array:
        """`[B, D]` the first slice, of the blocks of windows."""
        form = next(iter(self.stem.slices.values()))
        if self.block_map is None:
            return np.zeros((len(blocks_BSP), form.num_dimensions), np.float32)
        flat_BF = blocks_BSP.reshape(len(blocks_BSP), len(self.block_map.weight_FD))
        return embedded(self.block_map, flat_BF)

    def learn(
        self,
        sample: Inputs,
        admitted_N: BoolArray,
        *,
        rows: int,
        num_keys: int,
        num_shifted: int,
        generator: np.random.Generator,
    ) -> Solution | None:
        """Absorb a sample of an epoch's rows; solve if that is due.

        Args:
            sample: Of the epoch's rows.
            admitted_N: Which of it the gate let through.
            rows: Rows of the epoch that it let through.
            num_keys: Keys there are.
            num_shifted: Shifts of keys that were accepted as the new normal.
            generator: Source of random choices.
        """
        self.stem.absorb(sample, admitted_N)
        self._keep(take_inputs(self.stem.features(sample), admitted_N), generator)
        self.rows += rows
        self._num_shifted += num_shifted
        if self._shifted_at < 0 and self._num_shifted >= max(SHIFT_SHARE * num_keys, 1.0):
            self._shifted_at = self.rows
            for form in self.stem.slices.values():
                form.fade(SHIFT_MEMORY)
        reason = self._due(num_keys)
        return self._solve(reason) if reason else None

    def _due(self, num_keys: int) -> str | None:
        if not self.solved:
            forms = self.stem.slices.values()
            known = min(form.num_absorbed for form in forms) >= LEAST_ABSORBED
            enough = self.rows >= min(FIRST_ROWS_A_KEY * num_keys, MOST_FIRST_ROWS)
            return "warm-up" if known and enough else None
        if self.rows >= 2 * self.solved:
            return "doubling"
        shifted = self._shifted_at >= 0 and self.rows - self._shifted_at >= SHIFT_ROWS
        return "shift" if shifted else None

    def _solve(self, reason: str) -> Solution:
        before = self._embedded_anchors()
        for form in self.stem.slices.values():
            form.solve()
        self.block_map = self.stem.block_map()
        if reason != "shift":
            self.solved = self.rows
        self._num_shifted, self._shifted_at = 0, -1
        after = self._embedded_anchors()
        if reason == "warm-up" or not len(next(iter(after.values()))):
            return Solution(reason, {}, float("nan"), float("nan"))
        maps = {name: fitted(before[name], after[name]) for name in after}
        return Solution(reason, maps, *_cosines(before, after))

    def _keep(self, features: Mapping[str, Float32Array], generator: np.random.Generator) -> None:
        """Offer events to the anchors, a fair sample of all."""
        sample = self._anchors or take_inputs(features, slice(0, 0))
        self._anchors = offered(sample, features, self._num_offered, NUM_ANCHORS, generator)
        self._num_offered += len(next(iter(features.values())))

    def _embedded_anchors(self) -> dict[str, Float32Array]:
        return {name: self.stem.slices[name].embed(x_AF) for name, x_AF in self._anchors.items()}

    def state_dict(self) -> dict[str, Any]:
        """Stem, anchors and counts."""
        counts = [self.rows, self.solved, self._num_shifted, self._shifted_at, self._num_offered]
        anchors = {name: array.copy() for name, array in self._anchors.items()}
        return {"stem": self.stem.state_dict(), "anchors": anchors, "counts": np.array(counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.stem.load_state_dict(state["stem"])
        self._anchors = {name: np.array(array) for name, array in state["anchors"].items()}
        counts = map(int, state["counts"])
        self.rows, self.solved, self._num_shifted, self._shifted_at, self._num_offered = counts
        self.block_map = self.stem.block_map()


def _cosines(
    before: Mapping[str, Float32Array], after: Mapping[str, Float32Array]
) -> tuple[float, float]:
    """Of whole vectors with maps, fitted on each second anchor, judged by the others; without."""
    mapped = [fitted(before[name][::2], after[name][::2])(before[name][1::2]) for name in before]
    old, new = (np.concatenate([x[name] for name in before], axis=1) for x in (before, after))
    return anchor_cosine(np.concatenate(mapped, axis=1), new[1::2]), anchor_cosine(old, new)
