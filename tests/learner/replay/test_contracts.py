"""Promises of every replay policy in the registry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamssl.data.events import FloatArray
from streamssl.data.inputs import Inputs, InputSpec
from streamssl.learner.replay import POLICIES, Policy

SPEC = InputSpec(
    {
        "numbers": ((4, 3), np.float32),
        "codes": ((2,), np.int64),
        "pixels": ((2, 2, 3), np.uint8),
    },
    width=3,
    steps=4,
)
MAX_BYTES = 8_000
every_policy = pytest.mark.parametrize("name", list(POLICIES))


def numbered(start: int, count: int) -> tuple[Inputs, FloatArray]:
    """Inputs that hold their own number; exact in float16 below 2,048, pixels modulo 251."""
    time_N = np.arange(start, start + count, dtype=np.float64)
    numbers = np.broadcast_to(time_N[:, None, None], (count, 4, 3)).astype(np.float32)
    codes = np.repeat(time_N.astype(np.int64)[:, None] + 2**40, 2, axis=1)
    pixels = np.broadcast_to((time_N % 251)[:, None, None, None], (count, 2, 2, 3))
    return {"numbers": numbers, "codes": codes, "pixels": pixels.astype(np.uint8)}, time_N


def make(name: str, max_bytes: int = MAX_BYTES) -> Policy:
    return POLICIES[name](spec=SPEC, max_bytes=max_bytes)


def assert_same(first: Inputs, second: Inputs) -> None:
    """Equal arrays under equal names."""
    assert first.keys() == second.keys()
    for array, other in zip(first.values(), second.values(), strict=True):
        np.testing.assert_array_equal(array, other)


@every_policy
def test_bytes_are_bounded(name: str) -> None:
    """However much is offered, in whatever pieces, no more than `max_bytes` are held."""
    memory, generator = make(name), np.random.default_rng(0)
    for start, count in [(0, 7), (7, 0), (7, 500), (507, 1), (508, 900)]:
        memory.add(*numbered(start, count), generator)
        assert memory.num_bytes <= MAX_BYTES
    assert memory.num_bytes > MAX_BYTES / 2


@every_policy
def test_empty_is_a_state(name: str) -> None:
    """Nothing held: length 0, an empty sample, and adding nothing changes nothing."""
    memory, generator = make(name), np.random.default_rng(0)
    memory.add(*numbered(0, 0), generator)
    inputs, time_B = memory.sample(5, generator)
    assert len(memory) == memory.num_bytes == 0
    assert {name: array.shape for name, array in inputs.items()} == {
        name: (0, *shape) for name, (shape, _) in SPEC.arrays.items()
    }
    assert time_B.shape == (0,)


@every_policy
def test_a_budget_below_one_sample_holds_nothing(name: str) -> None:
    """A budget too small for one window is obeyed, not an error."""
    memory = make(name, max_bytes=10)
    memory.add(*numbered(0, 50), np.random.default_rng(0))
    assert len(memory) == 0


@every_policy
def test_inputs_keep_their_times_and_kinds(name: str) -> None:
    """A drawn input comes with its own event time; numbers, codes and pixels come back equal."""
    memory, generator = make(name), np.random.default_rng(0)
    memory.add(*numbered(0, 400), generator)
    inputs, time_B = memory.sample(64, generator)
    assert {n: array.dtype for n, array in inputs.items()} == {
        n: np.dtype(dtype) for n, (_, dtype) in SPEC.arrays.items()
    }
    assert np.array_equal(inputs["numbers"][:, 3, 2], time_B)
    assert np.array_equal(inputs["codes"][:, 1] - 2**40, time_B)
    assert np.array_equal(inputs["pixels"][:, 1, 1, 2], time_B % 251)
    assert len(np.unique(time_B)) > 10


@every_policy
def test_same_seed_same_samples(name: str) -> None:
    """What is held and drawn follows from the calls and the generator alone."""
    drawn = []
    for _ in range(2):
        memory, generator = make(name), np.random.default_rng(3)
        memory.add(*numbered(0, 500), generator)
        drawn.append(memory.sample(32, generator)[1])
    assert np.array_equal(drawn[0], drawn[1])


@every_policy
def test_resume_is_bit_identical(name: str) -> None:
    """A restored memory goes on exactly as the original, and does not share its arrays."""
    memory = make(name)
    memory.add(*numbered(0, 300), np.random.default_rng(0))
    state: dict[str, Any] = memory.state_dict()
    restored = make(name)
    restored.load_state_dict(state)
    for each in (memory, restored):
        each.add(*numbered(300, 300), np.random.default_rng(1))
    draws = [each.sample(64, np.random.default_rng(2)) for each in (memory, restored)]
    assert_same(draws[0][0], draws[1][0])
    assert np.array_equal(draws[0][1], draws[1][1])


@every_policy
def test_age_is_bounded(name: str) -> None:
    """No sample of a moment before the one named is held; the rest stays."""
    memory, generator = make(name), np.random.default_rng(0)
    for start in range(0, 1_000, 20):
        memory.expire(start - 50.0)
        memory.add(*numbered(start, 20), generator)
        assert len(memory) > 0
        assert memory.sample(200, generator)[1].min() >= start - 50.0
