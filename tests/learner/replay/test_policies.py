"""What each policy promises beyond the contract of all."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.inputs import Inputs
from streamssl.learner.replay import POLICIES
from streamssl.learner.replay.base import TabledPolicy
from streamssl.learner.replay.fifo import Fifo
from streamssl.learner.replay.fifo_then_reservoir import FifoThenReservoir
from streamssl.learner.replay.min_redundancy import MinRedundancy, most_redundant
from streamssl.learner.replay.reservoir import Reservoir
from streamssl.learner.replay.sketch import SKETCH, sketch
from tests.learner.replay.test_contracts import SPEC, numbered

CAPACITY = 40


def of(policy: type[TabledPolicy], capacity: int = CAPACITY) -> TabledPolicy:
    """A policy that holds so many samples."""
    return policy(spec=SPEC, max_bytes=capacity * policy(spec=SPEC, max_bytes=0).sample_bytes)


def ages(memory: Fifo) -> list[float]:
    """Times held, oldest first."""
    times: list[float] = memory.state_dict()["event_time"].tolist()
    return times


@pytest.mark.parametrize("pieces", [[500], [1] * 90, [7, 300, 2, 41], [39, 1, 1, 40]])
def test_fifo_holds_the_newest(pieces: list[int]) -> None:
    """In whatever pieces they came, the last 40 are held, oldest first."""
    memory, start = of(Fifo), 0
    for count in pieces:
        memory.add(*numbered(start, count), np.random.default_rng(0))
        start += count
    assert isinstance(memory, Fifo)
    assert ages(memory) == list(range(start - CAPACITY, start))


def test_fifo_tells_what_leaves() -> None:
    """What was held and is no longer, and what never fits, oldest first, with its inputs."""
    memory = of(Fifo)
    assert isinstance(memory, Fifo)
    memory.add(*numbered(0, 35), np.random.default_rng(0))
    for start, count, gone in ((35, 10, range(5)), (45, 100, range(5, 105)), (145, 0, range(0))):
        inputs, time_N = memory.leaving(*numbered(start, count))
        assert time_N.tolist() == list(gone)
        assert np.array_equal(inputs["numbers"][:, 0, 0], time_N)
        memory.add(*numbered(start, count), np.random.default_rng(0))


def test_fifo_goes_on_after_some_expired() -> None:
    """Places that came free are filled before the oldest leave."""
    memory = of(Fifo)
    assert isinstance(memory, Fifo)
    memory.add(*numbered(0, 70), np.random.default_rng(0))
    memory.expire(50.0)
    assert ages(memory) == list(range(50, 70))
    memory.add(*numbered(70, 25), np.random.default_rng(0))
    assert ages(memory) == list(range(55, 95))


@pytest.mark.parametrize("name", POLICIES)
def test_a_smaller_budget_takes_over_what_fits(name: str) -> None:
    """A state of a larger memory loads into a smaller one within its budget."""
    memory, smaller = (POLICIES[name](spec=SPEC, max_bytes=size) for size in (9_000, 3_000))
    memory.add(*numbered(0, 400), np.random.default_rng(0))
    smaller.load_state_dict(memory.state_dict())
    assert 0 < len(smaller) < len(memory)
    assert smaller.num_bytes <= 3_000
    inputs, time_B = smaller.sample(50, np.random.default_rng(1))
    assert np.array_equal(inputs["numbers"][:, 0, 0], time_B)
    assert name != "fifo" or time_B.min() >= 400 - len(smaller)


def test_both_memories_share_the_past() -> None:
    """The newest are one half, the other half is a uniform sample of all before them."""
    counts = np.zeros(400)
    half = 20 * of(Fifo).sample_bytes
    for seed in range(300):
        memory = FifoThenReservoir(spec=SPEC, max_bytes=2 * half)
        generator = np.random.default_rng(seed)
        for start, count in ((0, 33), (33, 200), (233, 167)):
            memory.add(*numbered(start, count), generator)
        assert ages(memory.recent) == list(range(380, 400))
        counts[memory.past.state_dict()["event_time"].astype(int)] += 1
    assert counts[380:].sum() == 0
    quarters = counts[:380].reshape(4, 95).mean(1)
    assert np.abs(quarters / (300 * 20 / 380) - 1).max() < 0.1


def test_samples_come_from_both_memories_by_their_share() -> None:
    """Of many draws half are of the newest; all have their own inputs."""
    memory = FifoThenReservoir(spec=SPEC, max_bytes=40 * of(Fifo).sample_bytes)
    memory.add(*numbered(0, 400), np.random.default_rng(0))
    inputs, time_B = memory.sample(2_000, np.random.default_rng(1))
    assert len(time_B) == 2_000
    assert np.mean(time_B >= 380) == pytest.approx(0.5, abs=0.04)
    assert np.array_equal(inputs["numbers"][:, 0, 0], time_B)


def waves(kind_N: IntArray, seed: int) -> tuple[Inputs, FloatArray]:
    """Inputs of a few kinds, each a direction of its own with a little noise."""
    generator = np.random.default_rng(seed)
    direction = np.random.default_rng(0).normal(size=(20, 4, 3))
    noise = 0.05 * generator.normal(size=(len(kind_N), 4, 3))
    numbers = (direction[kind_N] + noise).astype(np.float32)
    same = numbered(0, 1)[0]
    others = {name: np.repeat(same[name], len(kind_N), 0) for name in ("codes", "pixels")}
    return {"numbers": numbers, **others}, kind_N.astype(np.float64)


def share_of_rare(policy: type[TabledPolicy]) -> float:
    """Share of the held that are of 19 kinds that make up a twentieth of the stream."""
    memory, generator = of(policy, 60), np.random.default_rng(3)
    for turn in range(10):
        rare_N = generator.random(200) < 0.05
        kind_N = np.where(rare_N, generator.integers(1, 20, 200), 0)
        memory.add(*waves(kind_N, turn), generator)
    time_K = memory.state_dict()["event_time"]
    return float((time_K > 0).mean())


def test_what_is_rare_stays() -> None:
    """A reservoir has rare inputs by their share of the stream, min_redundancy many times that."""
    assert share_of_rare(Reservoir) < 0.15
    assert share_of_rare(MinRedundancy) > 0.5


def slow_drops(sketch_PM: Float32Array, count: int) -> list[int]:
    """The same by its definition: every nearest other computed anew for each drop."""
    alive = list(range(len(sketch_PM)))
    dropped = []
    for _ in range(count):
        near = {i: max(sketch_PM[i] @ sketch_PM[j] for j in alive if j != i) for i in alive}
        dropped.append(max(alive, key=lambda i: (near[i], -i)))
        alive.remove(dropped[-1])
    return dropped


def test_drops_are_those_of_the_definition() -> None:
    """Keeping the nearest others up to date changes no choice."""
    x_PM = np.random.default_rng(0).normal(size=(40, 8))
    x_PM = (x_PM / np.linalg.norm(x_PM, axis=1, keepdims=True)).astype(np.float32)
    assert most_redundant(x_PM, 25).tolist() == slow_drops(x_PM, 25)


def test_sketches_tell_likeness() -> None:
    """Unit vectors; equal inputs have equal ones, and other codes or pixels alone move them."""
    inputs, _ = numbered(1, 3)
    changed = {name: array.copy() for name, array in inputs.items()}
    changed["codes"][1, 0] += 1
    changed["pixels"][2] = 255 - changed["pixels"][2]
    before_NM, after_NM = sketch(inputs), sketch(changed)
    assert before_NM.shape == (3, SKETCH)
    np.testing.assert_allclose(np.linalg.norm(before_NM, axis=1), 1.0, rtol=1e-6)
    assert np.array_equal(before_NM[0], after_NM[0])
    assert (before_NM[1:] * after_NM[1:]).sum(1).max() < 0.9999


def test_what_is_not_finite_has_a_sketch() -> None:
    """Infinite inputs, which training refuses, are held like any other."""
    inputs, time_N = numbered(0, 90)
    inputs["numbers"] = np.full_like(inputs["numbers"], np.inf)
    memory = of(MinRedundancy)
    memory.add(inputs, time_N, np.random.default_rng(0))
    assert len(memory) == CAPACITY
    assert np.isfinite(memory.state_dict()["sketch"]).all()
