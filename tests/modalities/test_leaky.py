"""Promises of the leaky units' drive."""

from __future__ import annotations

import numpy as np

from streamssl.modalities.sensor.leaky import LeakyUnits, squash


def test_the_drive_of_a_row_has_the_same_bits_whatever_rows_come_with_it() -> None:
    """With many channels too, whose products a BLAS adds up in blocks."""
    units = LeakyUnits(num_channels=38)
    z_BC = np.random.default_rng(3).normal(size=(100, 38)) * 2.0
    whole_BH = units.drive(z_BC)
    for begin, stop in ((0, 1), (1, 40), (7, 100), (99, 100)):
        np.testing.assert_array_equal(units.drive(z_BC[begin:stop]), whole_BH[begin:stop])


def test_the_drive_is_the_formulas_as_far_as_float32_goes() -> None:
    """tanh(W 5 tanh(z / 5) + b), of values that float32 cannot hold as well, without a warning."""
    units = LeakyUnits(num_channels=3)
    z_BC = np.array([[0.1, -2.0, 30.0], [1e300, -1e300, 0.0]])
    wanted_BC = 5.0 * np.tanh(z_BC / 5.0)
    np.testing.assert_allclose(squash(z_BC), wanted_BC, atol=1e-6)
    wanted_BH = np.tanh(wanted_BC @ units.weight_CH + units.bias_H)
    np.testing.assert_allclose(units.drive(z_BC), wanted_BH, atol=1e-6)
