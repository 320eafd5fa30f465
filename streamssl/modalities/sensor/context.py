"""What every key remembers between its events: its last rows and its moving averages.

B = events, K = keys, T = steps of context, C = channels, H = leaky units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamssl.events import Float32Array, FloatArray, IntArray
from streamssl.keys import KeyColumns, Runs
from streamssl.modalities.sensor.leaky import LeakyUnits
from streamssl.modalities.sensor.normaliser import Normaliser
from streamssl.scan import BLOCK, EmaScan
from streamssl.scorers.base import Features

EMA_SPANS = (64, 16)


@dataclass(frozen=True, slots=True)
class Advance:
    """The context after a batch, not yet written: per-key rows in the order of `slots`."""

    slots: IntArray
    counts: IntArray
    window_KTC: Float32Array
    ema_KF: FloatArray
    leaky_KH: FloatArray


class SensorContext:
    """Raw windows, moving averages and leaky units of every key.

    `read` looks and leaves the state as it was, `write` moves it on.

    Args:
        num_channels: C.
        steps: T, rows of raw context.
        seed: Seed of the leaky units.
    """

    def __init__(self, *, num_channels: int, steps: int, seed: int) -> None:
        self.steps = steps
        self.leaky = LeakyUnits(num_channels=num_channels, seed=seed)
        rates = [2.0 / (span + 1.0) for span in EMA_SPANS]
        self._ema = EmaScan(np.repeat(rates, num_channels))
        self._leaky = EmaScan(self.leaky.rate_H)
        self.columns = KeyColumns(
            age=((), np.int64, 0),
            window=((steps, num_channels), np.float32, np.nan),
            ema=((len(EMA_SPANS) * num_channels,), np.float64, 0.0),
            leaky=((self.leaky.num_units,), np.float64, 0.0),
        )

    def read(
        self, slot_B: IntArray, values_BC: Float32Array, normaliser: Normaliser
    ) -> tuple[Features, Advance]:
        """Each event in its context, and the context after the batch.

        Rows of one key are in the order of its events. A missing value is held at the channel's
        last one.
        """
        runs, columns = Runs(slot_B), self.columns
        extended, place_B = self._extend(runs, values_BC)
        window_BTC = self._windows(extended, place_B)
        held_BC = window_BTC[:, -1].astype(np.float64)
        ema_BF, ema_KF = self._averages(runs, held_BC, window_BTC[:, -2])
        center_KC, scale_KC = normaliser.statistics(runs.slots)
        center_BC, scale_BC = center_KC[runs.group], scale_KC[runs.group]
        drive_BH = self.leaky.drive(np.nan_to_num((held_BC - center_BC) / scale_BC, nan=0.0))
        leaky_BH, leaky_KH = self._leaky.run(
            runs,
            columns["leaky"][runs.slots],
            columns["age"][runs.slots] % BLOCK,
            drive_BH,
            np.zeros_like(drive_BH, dtype=bool),
        )
        age_B = columns["age"][slot_B] + runs.rank
        features = Features(slot_B, age_B, window_BTC, ema_BF, leaky_BH, center_BC, scale_BC)
        return features, Advance(runs.slots, runs.counts, window_BTC[runs.last], ema_KF, leaky_KH)

    def write(self, advance: Advance) -> None:
        """Move the context on to what `read` returned."""
        columns, slots = self.columns, advance.slots
        columns["age"][slots] += advance.counts
        columns["window"][slots] = advance.window_KTC
        columns["ema"][slots] = advance.ema_KF
        columns["leaky"][slots] = advance.leaky_KH

    def _extend(self, runs: Runs, values_BC: Float32Array) -> tuple[Float32Array, IntArray]:
        """Each key's kept rows followed by its new ones, and the places of the new ones."""
        steps, num_keys = self.steps, len(runs.slots)
        place_sorted = (
            np.arange(len(runs.order)) + (np.repeat(np.arange(num_keys), runs.counts) + 1) * steps
        )
        begin_K = runs.starts + np.arange(num_keys) * steps
        extended = np.empty((len(runs.order) + num_keys * steps, values_BC.shape[1]), np.float32)
        extended[begin_K[:, None] + np.arange(steps)] = self.columns["window"][runs.slots]
        extended[place_sorted] = values_BC[runs.order]
        if np.isnan(values_BC).any():
            extended = _hold(extended, begin_K + steps - 1, place_sorted)
        place_B = np.empty_like(place_sorted)
        place_B[runs.order] = place_sorted
        return extended, place_B

    def _windows(self, extended: Float32Array, place_B: IntArray) -> Float32Array:
        """`[B, T, C]` the T rows that end at each place."""
        if not len(place_B):
            return np.empty((0, self.steps, extended.shape[1]), np.float32)
        view = np.lib.stride_tricks.sliding_window_view(extended, self.steps, axis=0)
        return np.ascontiguousarray(view.transpose(0, 2, 1)[place_B - self.steps + 1])

    def _averages(
        self, runs: Runs, held_BC: FloatArray, before_BC: Float32Array
    ) -> tuple[FloatArray, FloatArray]:
        """Moving averages of the channels; each starts at the channel's first value."""
        unseen_BC = np.isnan(held_BC)
        first_BC = np.isnan(before_BC) & ~unseen_BC
        copies = (1, len(EMA_SPANS))
        ema_BF, ema_KF = self._ema.run(
            runs,
            self.columns["ema"][runs.slots],
            self.columns["age"][runs.slots] % BLOCK,
            np.tile(np.nan_to_num(held_BC, nan=0.0), copies),
            np.tile(first_BC, copies),
        )
        ema_BF[np.tile(unseen_BC, copies)] = np.nan
        return ema_BF, ema_KF

    def state_dict(self) -> dict[str, Any]:
        """Every key's context."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


def _hold(extended: Float32Array, last_K: IntArray, place_B: IntArray) -> Float32Array:
    """Replace missing values in the new rows by the channel's last one of the same key."""
    source = np.where(np.isnan(extended), 0, np.arange(len(extended))[:, None])
    source[last_K] = last_K[:, None]
    np.maximum.accumulate(source, axis=0, out=source)
    held = np.take_along_axis(extended, source, axis=0)
    extended[place_B] = held[place_B]
    return extended
