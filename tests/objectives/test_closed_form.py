"""Closed-form objectives against independent computations on all rows, and maps between spaces.

N = events, F = features, D = dimensions.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from streamssl.data.events import FloatArray
from streamssl.objectives.closed_form import (
    LinearMap,
    anchor_cosine,
    fault_directions,
    fitted,
    predictive_state,
    rotated,
    slow_features,
)
from streamssl.objectives.closed_form.spectrum import cholesky

NUM_EVENTS, NUM_FEATURES = 3_000, 9


def stream(seed: int = 0) -> FloatArray:
    """Mixed sources, some slow and some fast: `[N, F]`, about a level of their own."""
    generator = np.random.default_rng(seed)
    keep_F = np.linspace(0.0, 0.98, NUM_FEATURES)
    source_NF = generator.normal(size=(NUM_EVENTS, NUM_FEATURES))
    for row in range(1, NUM_EVENTS):
        source_NF[row] += keep_F * source_NF[row - 1]
    mix_FF = np.random.default_rng(99).normal(size=(NUM_FEATURES, NUM_FEATURES))
    return 3.0 + source_NF @ mix_FF


def covariance(one_NF: FloatArray, other_NF: FloatArray | None = None) -> FloatArray:
    other_NF = one_NF if other_NF is None else other_NF
    found: FloatArray = (one_NF - one_NF.mean(0)).T @ (other_NF - other_NF.mean(0)) / len(one_NF)
    return found


def ridged(matrix_FF: FloatArray, ridge: float) -> FloatArray:
    return matrix_FF + ridge * np.trace(matrix_FF) / len(matrix_FF) * np.eye(len(matrix_FF))


def same_directions(weight_FD: FloatArray, other_FD: FloatArray) -> None:
    """Column by column the same line."""
    unit, other = (w / np.linalg.norm(w, axis=0) for w in (weight_FD, other_FD))
    np.testing.assert_allclose(np.abs((unit * other).sum(0)), 1.0, atol=1e-6)


def generalised(left_FF: FloatArray, right_FF: FloatArray, num: int) -> FloatArray:
    """Leading solutions of A w = l B w, by SciPy."""
    _, vectors_FF = scipy.linalg.eigh(left_FF, right_FF)
    found: FloatArray = vectors_FF[:, ::-1][:, :num]
    return found


def test_predictive_state_solves_the_generalised_eigenproblem() -> None:
    """C_xy (C_yy + ..)^-1 C_yx w = rho^2 (C_xx + ..) w, each dimension in unit deviation."""
    x_NF = stream()
    past, future = x_NF[:-5], np.concatenate([x_NF[1:-4], x_NF[5:]], axis=1)
    past_FF, shared, future_YY = covariance(past), covariance(past, future), covariance(future)
    found = predictive_state(past.mean(0), past_FF, shared, future_YY, 4)
    across = shared @ np.linalg.solve(ridged(future_YY, 0.1), shared.T)
    same_directions(found.weight_FD, generalised(across, ridged(past_FF, 0.03), 4))
    np.testing.assert_allclose(found(past).std(0), 1.0, atol=1e-9)
    np.testing.assert_allclose(found(past).mean(0), 0.0, atol=1e-9)


def test_slow_features_solve_the_generalised_eigenproblem() -> None:
    """(C - C_w) w = l (C + ..) w; the first one changes least for its size."""
    x_NF = stream()
    change = x_NF[6:] - x_NF[:-6]
    total_FF, change_FF = covariance(x_NF), change.T @ change / len(change)
    found = slow_features(x_NF.mean(0), total_FF, change_FF, 3)
    slow = generalised(total_FF - 0.5 * change_FF, ridged(total_FF, 0.03), 3)
    same_directions(found.weight_FD, slow)
    h_ND = found(x_NF)
    pace_D = ((h_ND[6:] - h_ND[:-6]) ** 2).mean(0)
    assert pace_D[0] < 0.5 * ((x_NF[6:] - x_NF[:-6]) ** 2 / x_NF.var(0)).mean()
    assert (np.diff(pace_D) > 0.0).all()


def test_fault_directions_are_principal_directions_of_both_kinds_of_rows() -> None:
    """Of rows standardised by the ordinary ones; scaled on these, .05 added."""
    x_NF, generator = stream(), np.random.default_rng(1)
    fault_F = generator.normal(size=NUM_FEATURES)
    unusual = x_NF[:400] + 30.0 * generator.normal(size=(400, 1)) * fault_F
    scale_F = x_NF.std(0) + 0.02
    g_NF, g_hot = ((rows - x_NF.mean(0)) / scale_F for rows in (x_NF, unusual))
    mixed = 0.5 * np.cov(g_NF.T, bias=True) + 0.5 * g_hot.T @ g_hot / len(g_hot)
    about = unusual - x_NF.mean(0)
    found = fault_directions(
        x_NF.mean(0), covariance(x_NF), about.T @ about / len(about), len(unusual), 4
    )
    same_directions(found.weight_FD * scale_F[:, None], np.linalg.eigh(mixed)[1][:, ::-1][:, :4])
    plain_ND = found(x_NF)
    assert (plain_ND.std(0) < 1.0).all()
    assert np.abs(found(unusual)[:, 0]).mean() > 3.0 * np.abs(plain_ND[:, 0]).mean()


def test_few_unusual_rows_hardly_count() -> None:
    """Without any the directions are those of ordinary rows alone."""
    ordinary_FF = covariance(stream())
    wild_FF = 1e6 * np.eye(NUM_FEATURES)
    none = fault_directions(np.zeros(NUM_FEATURES), ordinary_FF, wild_FF, 0.0, 3)
    alone = fault_directions(np.zeros(NUM_FEATURES), ordinary_FF, ordinary_FF, 1e9, 3)
    np.testing.assert_allclose(none.weight_FD, alone.weight_FD)


def test_what_rounding_left_below_nothing_counts_as_nothing() -> None:
    """A covariance out of float32 sums about a high level can have a negative variance."""
    rounded_FF = np.diag([1.0, 1.0, -0.5])
    factor = cholesky(rounded_FF, 0.1)
    inverse_FF = factor.solve(np.eye(3)).T @ factor.solve(np.eye(3))
    np.testing.assert_allclose(inverse_FF, np.diag([1 / 1.05, 1 / 1.05, 1 / 0.05]), atol=1e-9)


@pytest.mark.parametrize("flat", [0, NUM_FEATURES])
def test_what_does_not_move_gives_zeros(flat: int) -> None:
    """Flat features, all of them even, and more dimensions than directions: finite, zero."""
    x_NF = stream()
    x_NF[:, :flat] = 3.0
    zeros_FF, total_FF = np.zeros((NUM_FEATURES, NUM_FEATURES)), covariance(x_NF)
    maps = [
        predictive_state(x_NF.mean(0), total_FF, zeros_FF, total_FF, 12),
        slow_features(x_NF.mean(0), total_FF, zeros_FF, 12),
        fault_directions(x_NF.mean(0), total_FF, zeros_FF, 0.0, 12),
    ]
    for found in maps:
        assert found.weight_FD.shape == (NUM_FEATURES, 12)
        assert np.isfinite(found(x_NF)).all()
        assert not found(x_NF)[:, NUM_FEATURES:].any()


def test_a_map_is_rotated_to_the_one_before() -> None:
    """Of all rotations the one with the largest agreement; a pure rotation is undone."""
    x_NF, generator = stream(), np.random.default_rng(2)
    covariance_FF = covariance(x_NF)
    old = slow_features(x_NF.mean(0), covariance_FF, np.zeros_like(covariance_FF), 4)
    turn_DD = scipy.stats.ortho_group.rvs(4, random_state=3)
    turned = LinearMap(old.weight_FD @ turn_DD, old.bias_D @ turn_DD)
    found = rotated(turned, old, covariance_FF)
    np.testing.assert_allclose(found(x_NF), old(x_NF), atol=1e-9)
    other = LinearMap.about(x_NF.mean(0), generator.normal(size=old.weight_FD.shape))
    nearest = np.sum(rotated(other, old, covariance_FF)(x_NF) * old(x_NF))
    for seed in range(20):
        turn_DD = scipy.stats.ortho_group.rvs(4, random_state=seed)
        assert np.sum(other(x_NF) @ turn_DD * old(x_NF)) <= nearest + 1e-6


def test_the_fitted_map_carries_stored_vectors_over() -> None:
    """What was embedded before is where it would be now, where the new space is linear in it."""
    x_NF, generator = stream(), np.random.default_rng(4)
    old_ND = x_NF @ generator.normal(size=(NUM_FEATURES, 5))
    new_ND = old_ND @ generator.normal(size=(5, 5)) + generator.normal(size=5)
    carried = fitted(old_ND[:1_000], new_ND[:1_000])
    assert anchor_cosine(carried(old_ND[1_000:]), new_ND[1_000:]) > 0.9999
    assert anchor_cosine(old_ND, new_ND) < 0.95
    assert np.isnan(anchor_cosine(old_ND[:0], new_ND[:0]))
