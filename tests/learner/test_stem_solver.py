"""When slices are solved, and what a new space says of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from streamssl.data.events import BoolArray
from streamssl.data.inputs import Inputs
from streamssl.learner.stem_solver import NUM_ANCHORS, SHIFT_ROWS, Solution, StemSolver
from streamssl.modalities.base import Stem
from streamssl.objectives.closed_form import ClosedForm, LinearMap, SlowFeatures, anchor_cosine


class OneSlice:
    """Slow features of four numbers."""

    def __init__(self) -> None:
        self.form = SlowFeatures(num_features=4, num_dimensions=2)
        self.slices: dict[str, ClosedForm] = {"slow": self.form}

    def block_map(self) -> LinearMap | None:
        """As of blocks that are the features."""
        return self.form.map

    def absorb(self, sample: Inputs, admitted_N: BoolArray) -> None:
        """All that the gate let through."""
        self.form.absorb(sample["x"][admitted_N], sample["before"][admitted_N])

    def features(self, sample: Inputs) -> dict[str, Any]:
        """The numbers themselves."""
        return {"slow": sample["x"]}

    def state_dict(self) -> dict[str, Any]:
        """Of the slice."""
        return self.form.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Of the slice."""
        self.form.load_state_dict(state)


def fresh() -> StemSolver:
    """Of a stem that has no rows of its own to read."""
    return StemSolver(cast(Stem, OneSlice()))


def epoch(num: int, seed: int) -> Inputs:
    """Rows and those a while before: two slow sources in four numbers."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(4, 4))
    source = rng.normal(size=(num, 4))
    before = source * [0.95, 0.8, 0.1, 0.0] + rng.normal(size=(num, 4)) * [0.3, 0.6, 1.0, 1.0]
    return {name: (x @ mix).astype(np.float32) for name, x in (("x", source), ("before", before))}


def learn(solver: StemSolver, num: int, seed: int, *, shifted: int = 0) -> Solution | None:
    return solver.learn(
        epoch(num, seed),
        np.ones(num, bool),
        rows=num,
        num_keys=2,
        num_shifted=shifted,
        generator=np.random.default_rng(seed),
    )


def test_it_is_solved_at_doublings_and_once_after_a_shift() -> None:
    """First at 256 rows a key; a shift of one key of two counts, after so many rows of the new."""
    solver, reasons, shifted_at = fresh(), {}, 8_448
    for number in range(1, 65):
        shifted = int(256 * number == shifted_at)
        if solution := learn(solver, 256, number, shifted=shifted):
            reasons[256 * number] = solution.reason
    doublings = dict.fromkeys((1024, 2048, 4096, 8192, 16384), "doubling")
    after = 256 * -(-(shifted_at + SHIFT_ROWS) // 256)
    assert reasons == {512: "warm-up", **doublings, after: "shift"}


def test_a_doubling_takes_a_shift_along() -> None:
    """What shifted before a solution is no reason for another."""
    solver = fresh()
    found = [learn(solver, 256, number, shifted=int(number == 22)) for number in range(1, 41)]
    reasons = [solution.reason for solution in found if solution is not None]
    assert reasons == ["warm-up", *["doubling"] * 4]


def test_the_map_carries_vectors_from_space_to_space() -> None:
    """Rotation brings a new solution near, the map nearer: what is told of it is true."""
    solver = fresh()
    assert learn(solver, 512, 1) is not None
    probe = epoch(400, 77)["x"]
    old = solver.stem.slices["slow"].embed(probe)
    solution = learn(solver, 4_096, 2)
    assert solution is not None
    new = solver.stem.slices["slow"].embed(probe)
    mapped = anchor_cosine(solution.maps["slow"](old), new)
    assert mapped >= 0.95
    assert abs(mapped - solution.cosine) < 0.03
    assert abs(anchor_cosine(old, new) - solution.cosine_unmapped) < 0.03


def test_ever_fewer_rows_are_absorbed() -> None:
    """All of the first ones, then as many between n and e n rows, whatever n is."""
    solver = fresh()
    assert solver.sample_share == 1.0
    for number in range(4):
        learn(solver, 4_096, number)
    assert solver.sample_share == 0.25


def test_anchors_are_bounded_and_a_fair_sample() -> None:
    """However many rows come, and restored with the rest."""
    solver = fresh()
    for number in range(6):
        learn(solver, 900, number)
    state = solver.state_dict()
    assert state["anchors"]["slow"].shape == (NUM_ANCHORS, 4)
    again = fresh()
    again.load_state_dict(state)
    one, other = learn(solver, 5_400, 9), learn(again, 5_400, 9)
    assert one is not None
    assert other is not None
    assert (one.cosine, one.reason) == (other.cosine, other.reason)
    blocks = epoch(5, 3)["x"].reshape(5, 2, 2)
    np.testing.assert_array_equal(solver.of_blocks(blocks), again.of_blocks(blocks))
