"""What every key remembers between its events: its last rows and its moving averages.

B = events, K = keys, T = steps of context, C = channels, H = leaky units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from streamssl.arithmetic.missing import has_missing, missing_to_zero
from streamssl.arithmetic.scan import BLOCK, EmaScan
from streamssl.arithmetic.tiles import Floats
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.modalities.sensor.features import Features
from streamssl.modalities.sensor.leaky import SQUASH, LeakyUnits
from streamssl.modalities.sensor.newcomers import Joined, Newcomers
from streamssl.modalities.sensor.normaliser import YOUNG_BOUND, Normaliser
from streamssl.modalities.sensor.origins import Origins, OriginsOfBatch

# docs/research-log.md, "Constants of the arithmetic"
EMA_SPANS = (64, 16)


class Memory(NamedTuple):
    """What some keys remember: their last rows, moving averages and leaky units.

    Attributes:
        age_K: Events of each key.
        window_KTC, ema_KF, leaky_KH: As the columns have them.
    """

    age_K: IntArray
    window_KTC: Float32Array
    ema_KF: FloatArray
    leaky_KH: FloatArray


class Advance(NamedTuple):
    """The context after a batch, not yet written: per-key rows in the order of `slots`."""

    slots: IntArray
    memory: Memory
    newcomers: Joined | None


@dataclass(frozen=True)
class History:
    """A batch's rows, those of each key behind its last ones of before.

    Attributes:
        rows_LC: The rows of one key after another, last values carried forward.
        counts_K: How many of them each key has.
        place_B: Where each event's row is; at least T - 1 rows of its key lie before it.
        center_KC, scale_KC: Statistics of the keys.
    """

    rows_LC: Float32Array
    counts_K: IntArray
    place_B: IntArray
    center_KC: FloatArray
    scale_KC: FloatArray

    @cached_property
    def standardised(self) -> Float32Array:
        """`[L, C]` clip((x - m) / s, +-5) by the key's statistics; 0 where never seen."""
        factor_KC = (1.0 / self.scale_KC).astype(np.float32)
        center_LC = self._repeated(self.center_KC.astype(np.float32))
        return bounded(self.rows_LC, center_LC, self._repeated(factor_KC))

    def _repeated(self, values_KC: Float32Array) -> Float32Array:
        return np.repeat(values_KC, self.counts_K, axis=0)


def bounded(rows: Float32Array, center: Float32Array, factor: Float32Array) -> Float32Array:
    """clip((x - m) f, +-5), 0 where never seen: what networks and slices look at."""
    with np.errstate(over="ignore"):  # What float32 cannot hold is beyond the bound, too.
        z = rows - center
        z *= factor
        missing_to_zero(z)
    return np.clip(z, -SQUASH, SQUASH, out=z)


def _standardised(rows_BC: Float32Array, center_BC: FloatArray, scale_BC: FloatArray) -> FloatArray:
    """`[B, C]` (x - m) / s, 0 where never seen."""
    z_BC: FloatArray = (rows_BC - center_BC) / scale_BC
    return z_BC if np.isfinite(z_BC.sum()) else np.nan_to_num(z_BC, copy=False, nan=0.0)


def pieces(rows_LC: Float32Array, steps: int) -> Float32Array:
    """`[places, steps * C]` view of every `steps` consecutive rows, by the place of a value."""
    size = steps * rows_LC.shape[1]
    if not len(rows_LC):
        return np.empty((0, size), np.float32)
    return sliding_window_view(rows_LC.reshape(-1), size)


def last_rows(rows_LC: Float32Array, place_B: IntArray, steps: int) -> Float32Array:
    """`[B, steps, C]` the rows up to each place, oldest first."""
    num_channels = rows_LC.shape[1]
    first_B = (place_B - steps + 1) * num_channels
    return pieces(rows_LC, steps)[first_B].reshape(len(place_B), steps, num_channels)


class SensorContext:
    """Raw windows, moving averages and leaky units of every key.

    Averages of span n (64, 16): a <- a + 2/(n + 1) (x - a); units: `leaky.py`.

    `read` looks and leaves the state as it was, `write` moves it on.

    Args:
        num_channels: C.
        steps: T, rows of raw context.
        recent: Rows of them that features hold.
        seed: Seed of the leaky units.
    """

    def __init__(self, *, num_channels: int, steps: int, recent: int, seed: int) -> None:
        self.steps, self.recent = steps, recent
        self.origins = Origins(num_channels=num_channels)
        self.leaky = LeakyUnits(num_channels=num_channels, seed=seed)
        self.newcomers = Newcomers(num_channels=num_channels)
        self.spans = EMA_SPANS
        self.ema_rate_F = np.repeat([2.0 / (span + 1.0) for span in EMA_SPANS], num_channels)
        self.ema_scan = EmaScan(self.ema_rate_F)
        self.leaky_scan = EmaScan(self.leaky.rate_H)
        self.columns = KeyColumns(
            age=((), np.int64, 0),
            window=((steps, num_channels), np.float32, np.nan),
            ema=((len(EMA_SPANS) * num_channels,), np.float64, 0.0),
            leaky=((self.leaky.num_units,), np.float64, 0.0),
        )

    def memory(self, slots: IntArray) -> Memory:
        """What the keys in `slots` remember."""
        return Memory(*(self.columns[name][slots] for name in ("age", "window", "ema", "leaky")))

    def read(
        self,
        slot_B: IntArray,
        values_BC: FloatArray,
        normaliser: Normaliser,
        origins: OriginsOfBatch,
    ) -> tuple[Features, History, Advance]:
        """Each event in its context, its rows, and the context after the batch.

        Rows of one key are in the order of its events. Where a value is missing the channel's
        last one is carried forward; what is further off than a channel's bounds is at them.

        Args:
            slot_B: Slots of the events' keys.
            values_BC: Their values, about their origins.
            normaliser: The statistics of the keys.
            origins: Of the keys.
        """
        runs = Runs(slot_B)
        memory = self.memory(runs.slots)
        origin_KC = origins.of(runs.slots)
        center_KC, scale_KC = normaliser.statistics(runs.slots, origin_KC)
        center_BC, scale_BC = center_KC[runs.group], scale_KC[runs.group]
        joined_K = self.newcomers.joined(runs.slots, memory.age_K)
        newcomers = self.newcomers.read(
            runs, joined_K, memory.age_K, values_BC, origin_KC, center_BC, scale_BC
        )
        rows_LC, place_B = extend(runs, values_BC, memory.window_KTC)
        z_BC = _standardised(rows_LC[place_B], center_BC, scale_BC)
        if max(z_BC.max(initial=0.0), -z_BC.min(initial=0.0)) > YOUNG_BOUND:
            room_BC = (normaliser.bounds(runs.slots) * scale_KC)[runs.group]
            bounded_BC = np.clip(values_BC, center_BC - room_BC, center_BC + room_BC)
            rows_LC, place_B = extend(runs, bounded_BC, memory.window_KTC)
            z_BC = _standardised(rows_LC[place_B], center_BC, scale_BC)
        recent_BNC = last_rows(rows_LC, place_B, self.recent)
        filled_BC = recent_BNC[:, -1]
        ema_BF, ema_KF = self._averages(runs, filled_BC, rows_LC[place_B - 1], memory)
        leaky_BH, leaky_KH = self.leaky_scan.run(
            runs, memory.leaky_KH, memory.age_K % BLOCK, self.leaky.drive(z_BC)
        )
        features = Features(
            slot_B=slot_B,
            age_B=memory.age_K[runs.group] + runs.rank,
            values_BC=values_BC,
            recent_BNC=recent_BNC,
            ema_BF=ema_BF,
            leaky_BH=leaky_BH.astype(np.float32),
            center_BC=center_BC,
            scale_BC=scale_BC,
            origins=origins,
            joined_B=joined_K[runs.group],
        )
        history = History(rows_LC, runs.counts + self.steps, place_B, center_KC, scale_KC)
        window_KTC = last_rows(rows_LC, place_B[runs.last], self.steps)
        after = Memory(memory.age_K + runs.counts, window_KTC, ema_KF, leaky_KH)
        return features, history, Advance(runs.slots, after, newcomers)

    def write(self, advance: Advance) -> None:
        """Move the context on to what `read` returned."""
        names = ("age", "window", "ema", "leaky")
        for name, values in zip(names, advance.memory, strict=True):
            self.columns[name][advance.slots] = values
        self.newcomers.write(advance.newcomers)

    def _averages(
        self, runs: Runs, filled_BC: Float32Array, before_BC: Float32Array, memory: Memory
    ) -> tuple[Float32Array, FloatArray]:
        """Moving averages of the channels; each starts at the channel's first value."""
        unseen_BC, copies = np.isnan(filled_BC), (1, len(EMA_SPANS))
        first_BC = np.isnan(before_BC) & ~unseen_BC
        x_BC = np.where(unseen_BC, 0.0, filled_BC) if unseen_BC.any() else filled_BC
        average_BF, ema_KF = self.ema_scan.run(
            runs,
            memory.ema_KF,
            memory.age_K % BLOCK,
            np.tile(x_BC, copies),
            np.tile(first_BC, copies) if first_BC.any() else None,
        )
        ema_BF = average_BF.astype(np.float32)
        if unseen_BC.any():
            ema_BF[np.tile(unseen_BC, copies)] = np.nan
        return ema_BF, ema_KF

    def settle(self, slot: int, level_C: FloatArray, room_C: FloatArray) -> None:
        """Let a key remember its channels at their levels where a value was too far from them.

        Args:
            slot: Of the key.
            level_C: Levels of its channels.
            room_C: How far off a value may be.
        """
        columns, copies = self.columns, len(self.spans)
        window_TC, ema_F = columns["window"][slot], columns["ema"][slot]
        far_TC = np.abs(window_TC - level_C) > room_C
        window_TC[far_TC] = np.broadcast_to(level_C, window_TC.shape)[far_TC]
        level_1F, age_1 = np.tile(level_C, copies)[None], columns["age"][slot : slot + 1]
        far_F = np.tile(far_TC.any(0), copies)
        ema_F[far_F] = self.ema_scan.sums_at(level_1F, age_1)[0, far_F]

    def state_dict(self) -> dict[str, Any]:
        """Windows, averages and leaky units of every key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over every key's context; the window must be as long."""
        self.columns.load_state_dict(state)


def extend(runs: Runs, values_BC: FloatArray, window_KTC: Floats) -> tuple[Floats, IntArray]:
    """Each key's last rows followed by its new ones, and the places of the new ones.

    Where a value is missing the channel's last one is carried forward. Rows are as precise as the
    last ones.
    """
    (num_keys, steps, num_channels), num_rows = window_KTC.shape, len(runs.order)
    place_sorted = np.arange(num_rows) + (np.repeat(np.arange(num_keys), runs.counts) + 1) * steps
    begin_K = runs.starts + np.arange(num_keys) * steps
    extended = np.empty((num_rows + num_keys * steps, num_channels), window_KTC.dtype)
    extended[begin_K[:, None] + np.arange(steps)] = window_KTC
    extended[place_sorted] = runs.sorted(values_BC)
    if has_missing(values_BC):
        extended = _carry_forward(extended, begin_K + steps - 1, place_sorted)
    place_B = np.empty_like(place_sorted)
    place_B[runs.order] = place_sorted
    return extended, place_B


def _carry_forward(extended: Floats, last_K: IntArray, place_B: IntArray) -> Floats:
    """Last observation carried forward: missing values of new rows become the key's last ones."""
    source = np.where(np.isnan(extended), 0, np.arange(len(extended))[:, None])
    source[last_K] = last_K[:, None]
    np.maximum.accumulate(source, axis=0, out=source)
    filled = np.take_along_axis(extended, source, axis=0)
    extended[place_B] = filled[place_B]
    return extended
