"""The bank equals textbook formulas, and learning in pieces equals learning at once."""

from __future__ import annotations

import numpy as np

from streamssl.arithmetic.tiles import tile_rows
from streamssl.data.events import Float32Array
from streamssl.scorers.gaussian_bank import GaussianBank

GENERATOR = np.random.default_rng(8)
MIX = GENERATOR.normal(size=(5, 5))


def rows(count: int) -> Float32Array:
    """Correlated rows far from zero."""
    return (GENERATOR.normal(size=(count, 5)) @ MIX + 100.0).astype(np.float32)


def test_mean_and_covariance_are_those_of_all_rows() -> None:
    """While there are few rows, all weigh the same."""
    bank, x = GaussianBank(num_features=5, ridge=0.1), rows(200)
    for part in np.split(x, 4):
        bank.learn(np.zeros(50, np.int64), part, np.ones(50))
    np.testing.assert_allclose(bank.mean_EF[0], x.mean(0, np.float64), rtol=1e-6)
    np.testing.assert_allclose(bank.covariance_EFF[0], np.cov(x.T, bias=True), rtol=1e-4)


def test_distance_is_the_regularised_mahalanobis_distance() -> None:
    """The score is the root mean of z' (R + ridge I)^-1 z with R the correlation matrix."""
    bank, x, probe = GaussianBank(num_features=5, ridge=0.1), rows(300), rows(7)
    bank.learn(np.zeros(300, np.int64), x, np.ones(300))
    correlation = np.corrcoef(x.T) + (0.1 + 1e-6) * np.eye(5)
    z = (probe - x.mean(0, np.float64)) / x.std(0, np.float64)
    expected = np.sqrt(np.einsum("bi,ij,bj->b", z, np.linalg.inv(correlation), z) / 5)
    found = bank.distances(tile_rows(np.zeros(7, np.int64)), probe)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_entries_do_not_mix() -> None:
    """Rows of two entries in one call give what two calls give, to the last bit."""
    both, alone = (GaussianBank(num_features=5, ridge=0.1) for _ in range(2))
    for bank in (both, alone):
        bank.ensure(2)
    x, y = rows(100), rows(100) * 3.0
    both.learn(np.repeat([0, 1], 100), np.concatenate([x, y]), np.ones(200))
    alone.learn(np.zeros(100, np.int64), x, np.ones(100))
    alone.learn(np.ones(100, np.int64), y, np.ones(100))
    entry = np.array([0, 1, 0, 1, 1])
    probe = rows(5)
    np.testing.assert_array_equal(
        both.distances(tile_rows(entry), probe),
        alone.distances(tile_rows(entry), probe),
    )


def test_missing_features_count_as_the_mean() -> None:
    """A missing feature adds nothing to the distance."""
    bank = GaussianBank(num_features=5, ridge=0.1)
    bank.learn(np.zeros(300, np.int64), rows(300), np.ones(300))
    probe = np.repeat(bank.mean_EF[:1], 2, axis=0).astype(np.float32)
    probe[1, 3] = np.nan
    np.testing.assert_allclose(
        bank.distances(tile_rows(np.zeros(2, np.int64)), probe), 0, atol=1e-4
    )


def test_an_owner_begins_with_what_all_keys_learned() -> None:
    """A seeded entry scores its key's rows like the shared one scores them standardised."""
    bank, center, scale = (
        GaussianBank(num_features=5, ridge=0.1),
        rows(1)[0],
        np.arange(1, 6, dtype="f4"),
    )
    z = GENERATOR.normal(size=(400, 5)).astype(np.float32)
    bank.learn(np.zeros(400, np.int64), z, np.ones(400))
    bank.ensure(2)
    bank.seed_entry(1, center, scale, 256.0)
    own = bank.distances(tile_rows(np.ones(9, np.int64)), center + z[:9] * scale)
    shared = bank.distances(tile_rows(np.zeros(9, np.int64)), z[:9])
    np.testing.assert_allclose(own, shared, rtol=1e-4)


def test_values_near_the_end_of_float32_are_learned_and_forgotten() -> None:
    """A reading of 1e38 is far from everything, makes nothing infinite, and warns of nothing."""
    bank, x = GaussianBank(num_features=5, ridge=0.1), rows(300)
    zero = np.zeros(300, np.int64)
    bank.learn(zero, x, np.ones(300))
    x[7] = [3e38, -3e38, 1e38, 0.0, np.nan]
    assert bank.distances(tile_rows(zero), x)[7] > 5.0
    bank.learn(zero, x, np.ones(300))
    found = bank.distances(tile_rows(zero), x)
    assert np.isfinite(bank.covariance_EFF).all()
    assert np.isfinite(found).all()
