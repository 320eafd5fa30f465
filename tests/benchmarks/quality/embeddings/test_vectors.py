"""The peers' vectors: causal, as defined, and with named slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.quality.embeddings.vectors import (
    PEER_VECTORS,
    Vectors,
    raw_window,
    whitened_pca,
)
from benchmarks.quality.embeddings.windows import BLOCKS, WINDOW, block_means, standardised
from tests.benchmarks.quality.embeddings.fleets import random_vectors, small_fleet


@pytest.mark.parametrize("name", PEER_VECTORS)
def test_a_peer_never_looks_ahead(name: str) -> None:
    """Changing later rows changes no earlier vector."""
    fleet = small_fleet()
    later_TKC = fleet.values_TKC.copy()
    later_TKC[800:] += 3.0
    changed = PEER_VECTORS[name](replace(fleet, values_TKC=later_TKC)).values_TKD
    vectors = PEER_VECTORS[name](fleet).values_TKD
    np.testing.assert_array_equal(vectors[:800], changed[:800])
    assert vectors.shape[:2] == (1_200, 4)
    assert np.isfinite(vectors).all()
    assert name == "random" or not np.array_equal(vectors[800:], changed[800:])


def test_rows_are_standardised_by_their_machines_past() -> None:
    """Machines on levels of their own come out alike; a far outlier moves the units but little."""
    rng = np.random.default_rng(0)
    values_TKC = rng.standard_normal((2_000, 2, 1)) * [[[2.0], [50.0]]] + [[[7.0], [-900.0]]]
    values_TKC[1_000, 0] = 1e6
    z_TKC = standardised(values_TKC.astype(np.float32))
    np.testing.assert_allclose(z_TKC[1_100:].mean(axis=0), 0.0, atol=0.15)
    np.testing.assert_allclose(z_TKC[1_100:].std(axis=0), 1.0, atol=0.15)
    assert z_TKC[1_000, 0, 0] == pytest.approx(5.0)


def test_missing_readings_are_the_last_ones_seen() -> None:
    """No gap reaches a vector."""
    values_TKC = small_fleet().values_TKC.copy()
    values_TKC[[0, 40, 41], 1, 0] = np.nan
    assert np.isfinite(standardised(values_TKC)).all()


def test_block_means_are_means_of_the_window() -> None:
    """Oldest block first, shorter towards the newest row, which stands alone."""
    z_TKC = random_vectors(small_fleet(num_rows=60), size=3)
    found_TKF = block_means(z_TKC).reshape(60, 4, len(BLOCKS), 3)
    window_WC, begin = z_TKC[50 - WINDOW + 1 : 51, 2], 0
    for block, size in enumerate(BLOCKS):
        expected = window_WC[begin : begin + size].mean(axis=0)
        np.testing.assert_allclose(found_TKF[50, 2, block], expected, atol=1e-5)
        begin += size
    assert begin == WINDOW


def test_the_raw_window_ends_with_the_row_itself() -> None:
    """32 rows a channel, the newest last."""
    fleet = small_fleet(num_rows=100)
    vectors = raw_window(fleet).values_TKD.reshape(100, 4, 2, WINDOW)
    z_TKC = standardised(fleet.values_TKC)
    np.testing.assert_array_equal(vectors[..., -1], z_TKC)
    np.testing.assert_array_equal(vectors[50:, ..., 0], z_TKC[50 - WINDOW + 1 : -WINDOW + 1])


def test_whitened_components_are_alike_on_the_fit() -> None:
    """Deviation 1 in the first quarter."""
    vectors = whitened_pca(small_fleet()).values_TKD[WINDOW:300:2].reshape(-1, 32)
    np.testing.assert_allclose(vectors[:, :8].std(axis=0), 1.0, rtol=1e-3)


def test_named_slices_are_probed_beside_the_whole() -> None:
    """Each with the columns between its bounds."""
    values = random_vectors(small_fleet(num_rows=10), size=5)
    parts = dict(Vectors("ours", values, (("state", 0, 2), ("fault", 2, 5))).parts())
    assert list(parts) == ["ours", "ours, state", "ours, fault"]
    np.testing.assert_array_equal(parts["ours, fault"], values[..., 2:])
