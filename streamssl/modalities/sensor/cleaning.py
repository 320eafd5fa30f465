"""A cleaned past: a reading far off is remembered as its expected value, so that it has no echo.

An event is judged with its own values as they came and with a cleaned context. What is far off by
the lagged Gaussian, in view of everything else, pays a token of its channel (eight, one back every
32 events of the key) and enters the context as its expected value; without a token it enters as it
came, so that a shift is taken in.

B = events, K = keys, N = recent rows, C = channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamssl.data.columns import as_slice
from streamssl.data.events import BoolArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.modalities.sensor.context import SensorContext
from streamssl.modalities.sensor.features import Features
from streamssl.modalities.sensor.gaussians import SensorGaussians
from streamssl.modalities.sensor.stretch import NEVER, Apart, Stretch

# docs/research-log.md, "Constants of the arithmetic"
STRETCH = 192  # rows of a key that are gone through at once


@dataclass(frozen=True, slots=True)
class CleanAdvance:
    """How far apart the keys' two contexts are after a batch (not yet written)."""

    slots: IntArray
    apart: Apart


class CleanedContext:
    """What the keys would remember had their readings far off been as expected.

    A key's cleaned context is apart from its plain one from a reading far off on, until the last
    rows of both are the same and its echo in their averages has faded.

    Args:
        context: The plain context.
        gaussians: Whose lagged bank says what is far off.
    """

    def __init__(self, *, context: SensorContext, gaussians: SensorGaussians) -> None:
        self._context, self._gaussians = context, gaussians
        _, num_channels = context.columns["window"].shape[1:]
        averages, units = (context.columns[name].shape[1:] for name in ("ema", "leaky"))
        self.columns = KeyColumns(
            far_at=((), np.int64, NEVER),
            spent=((num_channels,), np.float32, 0.0),
            counted=((), np.int64, 0),
            window=((context.recent, num_channels), np.float32, np.nan),
            ema=(averages, np.float64, 0.0),
            leaky=(units, np.float64, 0.0),
        )

    @property
    def possible(self) -> bool:
        """Whether single channels can be told apart: not where they are projected."""
        return not self._gaussians.vectors["lagged"].projected

    def read(
        self, plain: Features, entry_B: IntArray, far_B: BoolArray
    ) -> tuple[IntArray, Features, CleanAdvance] | None:
        """The rows whose context is another one, in it; None where there is none.

        Args:
            plain: The batch's events in their plain context.
            entry_B: Entry of the Gaussians that scores each row.
            far_B: Rows with a reading far off in their plain context.
        """
        if not self.possible:
            return None
        apart_B = self.columns["far_at"][plain.slot_B] != NEVER
        slots = np.unique(plain.slot_B[far_B | apart_B])
        if not len(slots):
            return None
        rows = as_slice(np.flatnonzero(np.isin(plain.slot_B, slots)))
        found, seen, advance = self._walk(plain.take(rows), entry_B[rows], far_B[rows])
        return np.arange(len(far_B))[rows][found], seen, advance

    def _walk(
        self, plain: Features, entry_R: IntArray, far_R: BoolArray
    ) -> tuple[IntArray, Features, CleanAdvance]:
        """Stretch after stretch of all keys: from a row far off until the contexts agree."""
        runs = Runs(plain.slot_B)
        apart = self._apart(runs.slots)
        far_S = np.flatnonzero(far_R[runs.order])
        stop_K = runs.starts + runs.counts
        next_K = np.where(apart.far_at != NEVER, runs.starts, _following(far_S, runs.starts))
        found, seen = [], []
        while len(keys := np.flatnonzero(next_K < stop_K)):
            end_K = np.minimum(next_K[keys] + STRETCH, stop_K[keys])
            places = np.concatenate([np.arange(*x) for x in zip(next_K[keys], end_K, strict=True)])
            rows = runs.order[places]
            taken = as_slice(rows)
            fresh = keys[apart.far_at[keys] == NEVER]
            self._begin(plain, runs, fresh, next_K[fresh], apart)
            stretch = Stretch(
                self._context, self._gaussians, plain.take(taken), entry_R[taken], apart.take(keys)
            )
            kept_R, part = stretch.run()
            apart.put(keys, stretch.apart)
            over_K = stretch.apart.far_at == NEVER
            next_K[keys] = np.where(
                over_K, _following(far_S, next_K[keys] + stretch.length_K), end_K
            )
            found.append(rows[kept_R])
            seen.append(part)
        rows = np.concatenate(found)
        order = np.argsort(rows)
        clean = Features.concat(seen).take(order)
        return rows[order], clean, CleanAdvance(runs.slots, apart)

    def _apart(self, slots: IntArray) -> Apart:
        return Apart(**self.columns.rows(slots))

    def _begin(
        self, plain: Features, runs: Runs, keys: IntArray, first: IntArray, apart: Apart
    ) -> None:
        """Keys whose two contexts are one yet: the rows before the first of a stretch."""
        inside = first > runs.starts[keys]
        window_KNC = self._context.columns["window"][runs.slots[keys], -self._context.recent :]
        window_KNC[inside] = plain.recent_BNC[runs.order[first[inside] - 1]]
        apart.window[keys], apart.ema[keys], apart.leaky[keys] = window_KNC, 0.0, 0.0

    def write(self, advance: CleanAdvance) -> None:
        """Move on to what `read` returned."""
        self.columns.put(advance.slots, {n: getattr(advance.apart, n) for n in Apart.names()})

    def state_dict(self) -> dict[str, Any]:
        """Cleaned contexts and tokens of every key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, of fewer rows too: what is missing is unknown."""
        held_KNC, recent = np.array(state["window"]), self._context.recent
        lacking = max(recent - held_KNC.shape[1], 0)
        window_KNC = np.pad(held_KNC, ((0, 0), (lacking, 0), (0, 0)), constant_values=np.nan)
        self.columns.load_state_dict({**state, "window": window_KNC})


def _following(far_S: IntArray, place_K: IntArray) -> IntArray:
    """The first place far off from each given one on."""
    index = np.searchsorted(far_S, place_K)
    return np.append(far_S, np.iinfo(np.int64).max)[index]
