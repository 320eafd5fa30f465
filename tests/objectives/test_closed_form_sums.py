"""Promises of closed-form objectives: the solution of what they absorbed, in whatever pieces.

B = events, F = features, D = dimensions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from streamssl.arithmetic.moments import MEMORY_ROWS
from streamssl.data.events import Float32Array, FloatArray
from streamssl.objectives.closed_form import (
    ClosedForm,
    FaultDirections,
    PredictiveState,
    SlowFeatures,
    anchor_cosine,
    fault_directions,
    predictive_state,
    slow_features,
)
from tests.objectives.test_closed_form import same_directions, stream

NUM_FEATURES, NUM_DIMENSIONS, PIECE = 9, 4, 300
Made = Callable[[], ClosedForm]
OBJECTIVES: dict[str, Made] = {
    "state": lambda: PredictiveState(
        num_past=NUM_FEATURES, num_future=NUM_FEATURES, num_dimensions=NUM_DIMENSIONS
    ),
    "slow": lambda: SlowFeatures(num_features=NUM_FEATURES, num_dimensions=NUM_DIMENSIONS),
    "fault": lambda: FaultDirections(num_features=NUM_FEATURES, num_dimensions=NUM_DIMENSIONS),
}
every_objective = pytest.mark.parametrize("name", OBJECTIVES)


def pairs(name: str, seed: int = 0) -> tuple[Float32Array, Float32Array]:
    """What an objective absorbs: rows, and their futures, pasts or the unusual ones among them."""
    x_BF = stream(seed).astype(np.float32)
    if name == "state":
        return x_BF[:-3], x_BF[3:]
    if name == "slow":
        return x_BF[6:], x_BF[:-6]
    return x_BF, x_BF[(x_BF - x_BF.mean(0))[:, 0] > x_BF[:, 0].std()]


def absorbed(name: str, *seeds: int) -> ClosedForm:
    objective = OBJECTIVES[name]()
    for seed in seeds:
        one, other = pairs(name, seed)
        pieces = max(len(one) // PIECE, 1)
        for left, right in zip(*(np.array_split(x, pieces) for x in (one, other)), strict=True):
            objective.absorb(left, right)  # type: ignore[attr-defined]
    return objective


def weighted(one: FloatArray, other: FloatArray, weight_B: FloatArray) -> FloatArray:
    """Covariance of rows with weights."""
    left, right = (x - weight_B @ x / weight_B.sum() for x in (one, other))
    found: FloatArray = (left * weight_B[:, None]).T @ right / weight_B.sum()
    return found


def fading(num_rows: int) -> FloatArray:
    """What a piece of rows weighs once all that came after it was absorbed."""
    sizes = [len(piece) for piece in np.array_split(np.arange(num_rows), num_rows // PIECE)]
    later = num_rows - np.cumsum(sizes)
    return np.repeat((1.0 - 1.0 / MEMORY_ROWS) ** later, sizes)


def test_what_was_absorbed_is_solved_as_all_rows_would_be() -> None:
    """Older rows count less; directions and scales are those of the weighted rows."""
    state, (past, future) = absorbed("state", 0), pairs("state")
    weight_B = fading(len(past))
    x_BF, y_BF = past.astype(np.float64), future.astype(np.float64)
    wanted = predictive_state(
        weight_B @ x_BF / weight_B.sum(),
        weighted(x_BF, x_BF, weight_B),
        weighted(x_BF, y_BF, weight_B),
        weighted(y_BF, y_BF, weight_B),
        NUM_DIMENSIONS,
    )
    np.testing.assert_allclose(state.solve()(past), wanted(past), atol=1e-3)


def test_slow_features_are_solved_in_units_of_each_feature() -> None:
    """From the weighted rows and their changes."""
    slow, (now, before) = absorbed("slow", 0), pairs("slow")
    x_BF, change = now.astype(float), (now - before).astype(float)
    weight_B = fading(len(now))
    total_FF = weighted(x_BF, x_BF, weight_B)
    unit_F = 1.0 / (np.sqrt(np.diag(total_FF)) + 0.01)
    moved_FF = (change * weight_B[:, None]).T @ change / weight_B.sum()
    both_FF = np.outer(unit_F, unit_F)
    mean_F = weight_B @ x_BF / weight_B.sum()
    plain = slow_features(mean_F * unit_F, total_FF * both_FF, moved_FF * both_FF, NUM_DIMENSIONS)
    same_directions(slow.solve().weight_FD, unit_F[:, None] * plain.weight_FD)


def test_unusual_rows_are_taken_about_the_ordinary_mean() -> None:
    """Their moments are about it, whatever it was when they came; far ones are bounded."""
    fault, (rows, hot) = absorbed("fault", 0), pairs("fault")
    weight_B, x_BF, unusual = fading(len(rows)), rows.astype(float), hot.astype(float)
    mean_F = weight_B @ x_BF / weight_B.sum()
    pieces = np.array_split(np.arange(len(unusual)), len(x_BF) // PIECE)
    sizes = [len(piece) for piece in pieces]
    hot_B = np.repeat((1.0 - 1.0 / MEMORY_ROWS) ** (len(unusual) - np.cumsum(sizes)), sizes)
    about = unusual - mean_F
    hot_FF = (about * hot_B[:, None]).T @ about / hot_B.sum()
    ordinary_FF = weighted(x_BF, x_BF, weight_B)
    wanted = fault_directions(mean_F, ordinary_FF, hot_FF, float(hot_B.sum()), NUM_DIMENSIONS)
    np.testing.assert_allclose(fault.solve()(rows), wanted(rows), atol=1e-3)
    before = fault.sums["ordinary"].covariance().max()
    fault.absorb(np.full((1, NUM_FEATURES), 1e9, np.float32), hot[:0])  # type: ignore[attr-defined]
    assert fault.sums["ordinary"].covariance().max() < 2.0 * before


@every_objective
def test_sums_of_workers_add_up(name: str) -> None:
    """Two that saw half each agree with one that saw everything, but for what fades."""
    one, other, both = absorbed(name, 0), absorbed(name, 1), absorbed(name, 0, 1)
    one.join(other)
    one.solve()
    both.solve()
    x_BF = pairs(name, 2)[0]
    assert anchor_cosine(one.embed(x_BF), both.embed(x_BF)) > 0.98


@every_objective
def test_a_new_solution_stays_near_the_one_before(name: str) -> None:
    """It is rotated to it, so that what was embedded before hardly moves."""
    objective, x_BF = absorbed(name, 0), pairs(name, 2)[0]
    objective.solve()
    before_BD = objective.embed(x_BF)
    one, other = pairs(name, 1)
    objective.absorb(one, other)  # type: ignore[attr-defined]
    objective.solve()
    assert anchor_cosine(before_BD, objective.embed(x_BF)) > 0.8


@every_objective
def test_what_is_embedded_is_bounded_and_the_same_in_any_batch(name: str) -> None:
    """Within three deviations; before anything was solved it is zero."""
    objective, x_BF = absorbed(name, 0), pairs(name, 1)[0]
    assert not objective.embed(x_BF).any()
    objective.solve()
    whole_BD = objective.embed(x_BF)
    assert (np.abs(whole_BD) <= 3.0).all()
    assert np.abs(objective.embed(1e6 * x_BF)).max() <= 3.0
    for row in (0, 17, len(x_BF) - 1):
        assert np.array_equal(objective.embed(x_BF[row : row + 1])[0], whole_BD[row])


@every_objective
def test_a_restored_one_goes_on_as_it_was(name: str) -> None:
    """Sums and map come back from plain arrays; other sizes are refused."""
    objective, restored = absorbed(name, 0), OBJECTIVES[name]()
    objective.solve()
    restored.load_state_dict(objective.state_dict())
    one, other = pairs(name, 1)
    for each in (objective, restored):
        each.absorb(one, other)  # type: ignore[attr-defined]
        each.solve()
    assert np.array_equal(objective.embed(one), restored.embed(one))
    with pytest.raises(ValueError, match="shape"):
        SlowFeatures(num_features=2, num_dimensions=1).load_state_dict(
            absorbed("slow", 0).state_dict()
        )
