"""Jumps: changes of channels, in units of what each usually moves."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import Runs
from streamssl.modalities.sensor.jumps import FARTHEST_JUMP, Jumps

EPOCH, SIZE = 64, 12.0


def recent(values_BC: FloatArray) -> Float32Array:
    """`[B, 3, C]` each row of one key with the two before it."""
    padded = np.concatenate([np.full((2, values_BC.shape[1]), np.nan), values_BC])
    windows: Float32Array = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=0)
    return windows.transpose(0, 2, 1).astype(np.float32)


def learnt(values_BC: FloatArray, slot_B: IntArray | None = None) -> Jumps:
    """Jumps that have learnt the rows, epoch by epoch."""
    jumps, recent_BNC = Jumps(num_channels=values_BC.shape[1]), recent(values_BC)
    slot_B = np.zeros(len(values_BC), np.int64) if slot_B is None else slot_B
    jumps.columns.ensure(int(slot_B.max()) + 1)
    step_KC = np.abs(np.diff(values_BC[:32], axis=0)).mean(0)[None]
    for begin in range(0, len(values_BC), EPOCH):
        rows = slice(begin, begin + EPOCH)
        runs = Runs(slot_B[rows])
        count_KC = np.full((len(runs.slots), values_BC.shape[1]), begin + EPOCH, float)
        jumps.learn(runs, jumps.read(slot_B[rows], recent_BNC[rows]), count_KC, step_KC)
    return jumps


def walk(num_rows: int, seed: int = 0) -> FloatArray:
    """Two channels that wander, in steps of 1 and of 1,000."""
    steps = np.random.default_rng(seed).normal(size=(num_rows, 2)) * [1.0, 1_000.0]
    return np.cumsum(steps, axis=0)


def test_the_unit_is_the_usual_change() -> None:
    """Of a walk of normal steps about 1, whatever the unit and however far it has wandered."""
    jumps, x = learnt(walk(4_000)), walk(2_000, seed=1)
    size_BC = jumps.read(np.zeros(len(x), np.int64), recent(x))[2:]
    # The smaller of two changes is what is learnt, too.
    np.testing.assert_allclose(np.sqrt((size_BC**2).mean(0)), [1.0, 1.0], rtol=0.15)


def test_a_jump_stands_out_and_the_way_back_does_not() -> None:
    """A step is one jump; a single odd row is one, and not a second when it is over."""
    jumps, x = learnt(walk(4_000)), walk(300, seed=2)
    x[100:, 0] += SIZE
    x[200, 1] += 1_000.0 * SIZE
    size_BC = jumps.read(np.zeros(len(x), np.int64), recent(x))
    assert size_BC[100, 0] > SIZE / 2.0
    assert size_BC[200, 1] > SIZE / 2.0
    others = np.ones(300, bool)
    others[[100, 101, 200]] = False
    assert size_BC[others].max() < SIZE / 2.0


def test_missing_unknown_and_flat_are_no_jump() -> None:
    """Nothing is said of a channel before its usual change is known; all is finite and bounded."""
    x = walk(400)
    x[:, 0] = 3.0
    jumps = learnt(x)
    x[200:, 0], x[300, 1] = np.nan, 1e30
    size_BC = jumps.read(np.zeros(len(x), np.int64), recent(x))
    assert (size_BC[:, 0] == 0.0).all()
    assert size_BC[300, 1] == FARTHEST_JUMP
    assert np.isfinite(size_BC).all()


@pytest.mark.parametrize("odd", [1e3, 1e12])
def test_one_impossible_reading_widens_little(odd: float) -> None:
    """However far it is, it counts as twenty usual changes."""
    x, y = walk(4_000), walk(4_000)
    y[2_000, 0] += odd
    plain, spoiled = (learnt(rows).columns["usual"][0, 0] for rows in (x, y))
    assert plain <= spoiled < 1.2 * plain


def test_keys_have_usual_changes_of_their_own() -> None:
    """Two keys in turn, one ten times as lively."""
    x, slot_B = walk(4_000), np.arange(4_000) % 2
    recent_BNC = recent(x)
    recent_BNC[slot_B == 1] *= 10.0
    jumps = Jumps(num_channels=2)
    jumps.columns.ensure(2)
    for begin in range(0, 4_000, EPOCH):
        rows = slice(begin, begin + EPOCH)
        runs, found = Runs(slot_B[rows]), jumps.read(slot_B[rows], recent_BNC[rows])
        jumps.learn(runs, found, np.full((2, 2), begin + EPOCH, float), np.ones((2, 2)))
    first, second = jumps.columns["usual"][:2, 0]
    assert second == pytest.approx(10.0 * first, rel=0.2)


def test_what_float32_cannot_hold_is_the_farthest() -> None:
    """A change beyond it counts as the largest one, and a channel that was never known as none."""
    jumps, x = learnt(walk(400)), walk(20, seed=3).astype(np.float32).astype(np.float64)
    x[10, 0], x[12, 0] = 3e38, -3e38
    size_BC = jumps.read(np.zeros(len(x), np.int64), recent(x))
    assert np.isfinite(size_BC).all()
    assert size_BC[10, 0] == FARTHEST_JUMP
    unknown = Jumps(num_channels=2)
    unknown.columns.ensure(1)
    assert not unknown.read(np.zeros(len(x), np.int64), recent(x)).any()
