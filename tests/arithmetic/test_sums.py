"""Promises of the sums that maps are solved from, against independent computations."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.arithmetic.moments import MEMORY_ROWS
from streamssl.arithmetic.projection import random_projection
from streamssl.arithmetic.sketch import principal_directions
from streamssl.arithmetic.sums import CrossSums
from streamssl.data.events import Float32Array, FloatArray

KEEP = 1.0 - 1.0 / MEMORY_ROWS


def rows(num_rows: int, num_features: int, seed: int = 0) -> Float32Array:
    """Rows of a few strong directions and some noise, off 0."""
    generator = np.random.default_rng(seed)
    mix_QF = np.random.default_rng(99).normal(size=(5, num_features))
    strong = generator.normal(size=(num_rows, 5)) * (5.0, 4.0, 3.0, 2.0, 1.0)
    noise = generator.normal(size=(num_rows, num_features)) * 0.05
    return (strong @ mix_QF + noise + 2.0).astype(np.float32)


def weighted(x_BF: Float32Array, y_BG: Float32Array, weight_B: FloatArray) -> FloatArray:
    """The covariance of rows of these weights, from all rows at once."""
    share_B1 = (weight_B / weight_B.sum())[:, None]
    x, y = x_BF - (x_BF * share_B1).sum(0), y_BG - (y_BG * share_B1).sum(0)
    return np.asarray((x * share_B1).T @ y, np.float64)


def test_the_covariance_is_that_of_all_rows_older_ones_weighing_less() -> None:
    """Of rows that come in pieces, each fading by the rows that came after its piece."""
    x_BF, y_BG, sums = rows(900, 12), rows(900, 3, seed=1), CrossSums(num_left=12, num_right=3)
    for part in (slice(0, 500), slice(500, 510), slice(510, 900)):
        sums.add(x_BF[part], y_BG[part])
    weight_B = np.repeat([KEEP**400, KEEP**390, 1.0], [500, 10, 390])
    found_FG, known_FG = sums.covariance(), weighted(x_BF, y_BG, weight_B)
    np.testing.assert_allclose(found_FG, known_FG, atol=1e-4 * np.abs(known_FG).max())
    np.testing.assert_allclose(sums.means()[0], np.average(x_BF, 0, weight_B), rtol=1e-5)


def test_sums_of_workers_add_up() -> None:
    """Two workers' sums of their own rows are those of one that saw both."""
    x_BF, y_BG = rows(400, 8), rows(400, 2, seed=1)
    workers = [CrossSums(num_left=8, num_right=2) for _ in range(2)]
    for worker, part in zip(workers, (slice(0, 200), slice(200, 400)), strict=True):
        worker.add(x_BF[part], y_BG[part])
    workers[0].absorb(workers[1])
    whole_FG = weighted(x_BF, y_BG, np.ones(400))
    found_FG = workers[0].covariance()
    np.testing.assert_allclose(found_FG, whole_FG, atol=1e-4 * np.abs(whole_FG).max())
    assert workers[0].weight == 400.0


def test_no_row_is_no_covariance() -> None:
    """Before any row, and after an empty batch, everything is 0."""
    sums = CrossSums(num_left=3, num_right=2)
    sums.add(np.zeros((0, 3), np.float32), np.zeros((0, 2), np.float32))
    assert not sums.covariance().any()


def test_sums_of_other_vectors_are_refused() -> None:
    """A state of another width says which array, and both shapes."""
    state = CrossSums(num_left=3, num_right=2).state_dict()
    with pytest.raises(ValueError, match=r"'left_F' has the shape \(3,\), not \(4,\)"):
        CrossSums(num_left=4, num_right=2).load_state_dict(state)


def known_directions(covariance_FF: FloatArray, rank: int) -> tuple[FloatArray, FloatArray]:
    """Of the whole covariance, by a singular value decomposition."""
    vectors, values, _ = np.linalg.svd(covariance_FF)
    return values[:rank], vectors[:, :rank]


@pytest.mark.parametrize("num_features", [20, 300])
def test_directions_of_a_sketch_are_those_of_the_covariance(num_features: int) -> None:
    """The space of the leading eigenvectors, and the eigenvalues, as an SVD finds them."""
    covariance_FF = np.cov(rows(2_000, num_features).T)
    test_FK = random_projection(num_features, min(64, num_features), 3).astype(np.float64)
    values_Q, found_FQ = principal_directions(covariance_FF @ test_FK, test_FK, 5)
    known_Q, known_FQ = known_directions(covariance_FF, 5)
    np.testing.assert_allclose(values_Q, known_Q, rtol=0.01)
    np.testing.assert_allclose(found_FQ.T @ found_FQ, np.eye(5), atol=1e-6)
    np.testing.assert_allclose(found_FQ @ found_FQ.T, known_FQ @ known_FQ.T, atol=0.01)


def test_signs_are_settled() -> None:
    """Each vector's largest entry is positive, whatever eigh gave."""
    covariance_FF = np.cov(rows(500, 20).T)
    vectors_FQ = principal_directions(covariance_FF, np.eye(20), 5)[1]
    largest_Q = np.abs(vectors_FQ).argmax(0)
    assert (vectors_FQ[largest_Q, np.arange(5)] > 0.0).all()


def test_where_nothing_moves_there_is_no_direction() -> None:
    """A covariance of rank 2 has two directions; the others are 0, not rounding."""
    root_2F = np.random.default_rng(0).normal(size=(2, 10))
    values_Q, vectors_FQ = principal_directions(root_2F.T @ root_2F, np.eye(10), 4)
    assert (values_Q[:2] > 0.1).all()
    assert not vectors_FQ[:, 2:].any()
    assert not principal_directions(np.zeros((10, 10)), np.eye(10), 4)[1].any()
