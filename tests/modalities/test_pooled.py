"""Promises of the pooled random convolutions.

B = events, L = rows, C = channels, H = units.
"""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.data.events import Float32Array
from streamssl.modalities.sensor.pooled import CEILING, KERNEL_CHANNELS, TAPS, PooledUnits

NUM_ROWS, FIRST = 60, max(TAPS)


def rows(num_channels: int, seed: int = 0) -> Float32Array:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(NUM_ROWS, num_channels)).astype(np.float32)


@pytest.mark.parametrize("num_channels", [1, 5, 38])
def test_activities_are_the_rectified_convolutions(num_channels: int) -> None:
    """Unit by unit and tap by tap, in float64."""
    units, z_LC = PooledUnits(num_channels=num_channels, num_units=32), rows(num_channels)
    kernel_HLC = units.weight_XH.T.reshape(32, len(TAPS), num_channels).astype(np.float64)
    for place in (FIRST, 17, NUM_ROWS - 1):
        sums = [
            sum(float(kernel[n] @ z_LC[place - tap]) for n, tap in enumerate(TAPS))
            for kernel in kernel_HLC
        ]
        wanted = np.clip(np.array(sums) + units.bias_H, 0.0, CEILING)
        given = units.drive(z_LC, np.array([place]))[0]
        np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_kernels_are_sparse_units_and_half_of_them_see_changes_only() -> None:
    """Of norm one, over six channels; a level alone moves every second unit."""
    units = PooledUnits(num_channels=20)
    kernel_HLC = units.weight_XH.T.reshape(units.num_units, len(TAPS), 20)
    assert ((kernel_HLC != 0.0).any(1).sum(1) <= KERNEL_CHANNELS).all()
    np.testing.assert_allclose(np.linalg.norm(units.weight_XH, axis=0), 1.0, atol=1e-6)
    np.testing.assert_allclose(kernel_HLC[::2].sum(1), 0.0, atol=1e-6)
    level = units.drive(np.full((9, 20), 3.0, np.float32), np.array([8]))
    still = units.drive(np.zeros((9, 20), np.float32), np.array([8]))
    np.testing.assert_allclose(level[0, ::2], still[0, ::2], atol=1e-5)
    assert (level[0, 1::2] != still[0, 1::2]).mean() > 0.5


def test_bits_do_not_depend_on_the_neighbours() -> None:
    """A row's activities are the same alone and among others."""
    units, z_LC = PooledUnits(num_channels=7), rows(7)
    places = np.arange(FIRST, NUM_ROWS)
    whole = units.drive(z_LC, places)
    for place in places[::9]:
        alone = units.drive(z_LC[place - FIRST : place + 1], np.array([FIRST]))
        assert np.array_equal(alone[0], whole[place - FIRST])


def test_the_seed_decides_the_kernels() -> None:
    """The same seed gives the same units, another one others."""
    one, same, other = (PooledUnits(num_channels=3, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.weight_XH, same.weight_XH)
    assert not np.array_equal(one.weight_XH, other.weight_XH)
