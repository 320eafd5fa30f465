"""Promises of every replay policy in the registry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamssl.events import Float32Array, FloatArray
from streamssl.replay import POLICIES, Policy

SHAPE = (4, 3)
every_policy = pytest.mark.parametrize("name", list(POLICIES))


def windows(start: int, count: int) -> tuple[Float32Array, FloatArray]:
    """Windows that hold their own number; exact in float16 below 2,048."""
    time = np.arange(start, start + count, dtype=np.float64)
    return np.broadcast_to(time[:, None, None], (count, *SHAPE)).astype(np.float32), time


def make(name: str, max_bytes: int = 3_200) -> Policy:
    return POLICIES[name](shape=SHAPE, max_bytes=max_bytes)


@every_policy
def test_bytes_are_bounded(name: str) -> None:
    """However much is offered, in whatever pieces, no more than `max_bytes` are held."""
    memory, generator = make(name), np.random.default_rng(0)
    for start, count in [(0, 7), (7, 0), (7, 500), (507, 1), (508, 900)]:
        memory.add(*windows(start, count), generator)
        assert memory.num_bytes <= 3_200
    assert memory.num_bytes > 3_200 / 2


@every_policy
def test_empty_is_a_state(name: str) -> None:
    """Nothing held: length 0, an empty sample, and adding nothing changes nothing."""
    memory, generator = make(name), np.random.default_rng(0)
    memory.add(*windows(0, 0), generator)
    x_BTC, time_B = memory.sample(5, generator)
    assert len(memory) == memory.num_bytes == 0
    assert x_BTC.shape == (0, *SHAPE)
    assert time_B.shape == (0,)


@every_policy
def test_a_budget_below_one_sample_holds_nothing(name: str) -> None:
    """A budget too small for one window is obeyed, not an error."""
    memory = make(name, max_bytes=10)
    memory.add(*windows(0, 50), np.random.default_rng(0))
    assert len(memory) == 0


@every_policy
def test_windows_keep_their_times(name: str) -> None:
    """A drawn window comes with its own event time, as float32."""
    memory, generator = make(name), np.random.default_rng(0)
    memory.add(*windows(0, 400), generator)
    x_BTC, time_B = memory.sample(64, generator)
    assert x_BTC.dtype == np.float32
    assert np.array_equal(x_BTC[:, 0, 0], time_B)
    assert len(np.unique(time_B)) > 10


@every_policy
def test_same_seed_same_samples(name: str) -> None:
    """What is held and drawn follows from the calls and the generator alone."""
    drawn = []
    for _ in range(2):
        memory, generator = make(name), np.random.default_rng(3)
        memory.add(*windows(0, 500), generator)
        drawn.append(memory.sample(32, generator)[1])
    assert np.array_equal(drawn[0], drawn[1])


@every_policy
def test_resume_is_bit_identical(name: str) -> None:
    """A restored memory goes on exactly as the original, and does not share its arrays."""
    memory = make(name)
    memory.add(*windows(0, 300), np.random.default_rng(0))
    state: dict[str, Any] = memory.state_dict()
    restored = make(name)
    restored.load_state_dict(state)
    for each in (memory, restored):
        each.add(*windows(300, 300), np.random.default_rng(1))
    draws = [each.sample(64, np.random.default_rng(2)) for each in (memory, restored)]
    assert np.array_equal(draws[0][0], draws[1][0])
    assert np.array_equal(draws[0][1], draws[1][1])


@every_policy
def test_age_is_bounded(name: str) -> None:
    """No sample of a moment before the one named is held; the rest stays."""
    memory, generator = make(name), np.random.default_rng(0)
    for start in range(0, 1_000, 20):
        memory.expire(start - 50.0)
        memory.add(*windows(start, 20), generator)
        assert len(memory) > 0
        assert memory.sample(200, generator)[1].min() >= start - 50.0
