"""Every registered modality keeps the contract of `Modality`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.checkpoint.snapshot import snapshot
from streamssl.config.sections import SensorConfig
from streamssl.events import Float32Array, IntArray
from streamssl.modalities import MODALITIES, Modality

CHANNELS, KEYS, WINDOW = 3, 4, 8
GENERATOR = np.random.default_rng(3)

names = pytest.mark.parametrize("name", sorted(MODALITIES))


def rows(count: int) -> tuple[IntArray, Float32Array]:
    """Slots and values, some missing."""
    values_BC = GENERATOR.normal(5.0, 2.0, (count, CHANNELS)).astype(np.float32)
    values_BC[GENERATOR.random(values_BC.shape) < 0.1] = np.nan
    return GENERATOR.integers(0, KEYS, count), values_BC


def fresh(name: str) -> Modality:
    """A modality with room for the keys."""
    modality = MODALITIES[name].build(SensorConfig(window=WINDOW), num_channels=CHANNELS, seed=0)
    for columns in modality.per_key():
        columns.ensure(KEYS)
    return modality


def used(name: str) -> Modality:
    """One that has seen and learned some epochs."""
    modality = fresh(name)
    for _ in range(3):
        slot_B, values_BC = rows(60)
        features, _, advance = modality.read(slot_B, values_BC)
        modality.write(advance)
        modality.learn(slot_B, features.recent_BNC[:, -1], np.ones(60, np.bool_))
    return modality


def windows(modality: Modality, slot_B: IntArray, values_BC: Float32Array) -> Float32Array:
    """What the networks read of events."""
    return modality.windows(modality.read(slot_B, values_BC).rows)[:]


@names
def test_reading_changes_nothing(name: str) -> None:
    """`read` leaves the state as it was, bit for bit, and so do its windows."""
    modality = used(name)
    before = snapshot(modality.state_dict()).arrays
    windows(modality, *rows(20))
    after = snapshot(modality.state_dict()).arrays
    for key, value in before.items():
        np.testing.assert_array_equal(value, after[key])


@names
@settings(max_examples=10, deadline=None)
@given(cut=st.integers(0, 50))
def test_cuts_change_no_bit(name: str, cut: int) -> None:
    """Two calls give what one gives."""
    slot_B, values_BC = rows(50)
    modality = used(name)
    whole = windows(modality, slot_B, values_BC)
    parts = []
    for part in (slice(0, cut), slice(cut, None)):
        reading = modality.read(slot_B[part], values_BC[part])
        modality.write(reading.advance)
        parts.append(modality.windows(reading.rows)[:])
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@names
def test_windows_are_finite_and_of_the_configured_length(name: str) -> None:
    """Missing and huge values do not reach the networks as such."""
    modality = used(name)
    slot_B, values_BC = rows(10)
    values_BC[0], values_BC[1] = np.nan, 1e30
    x_BTC = windows(modality, slot_B, values_BC)
    assert x_BTC.shape == (10, WINDOW, CHANNELS)
    assert x_BTC.dtype == np.float32
    assert np.isfinite(x_BTC).all()


@names
def test_the_present_is_the_last_row_and_the_future_is_unknown(name: str) -> None:
    """Changing a later event changes nothing of an earlier one."""
    modality = used(name)
    slot_B, values_BC = rows(30)
    before = windows(modality, slot_B, values_BC)
    values_BC[20:] += 7.0
    after = windows(modality, slot_B, values_BC)
    np.testing.assert_array_equal(before[:20], after[:20])


@names
def test_state_carries_everything(name: str) -> None:
    """One that takes over the state reads the same bits."""
    modality, other = used(name), fresh(name)
    other.load_state_dict(modality.state_dict())
    probe = rows(20)
    np.testing.assert_array_equal(windows(modality, *probe), windows(other, *probe))


@names
def test_an_empty_batch_is_a_batch(name: str) -> None:
    """Nothing in, nothing out."""
    modality = used(name)
    features, rest, advance = modality.read(*rows(0))
    modality.write(advance)
    assert len(features) == 0
    assert modality.windows(rest)[:].shape == (0, WINDOW, CHANNELS)
