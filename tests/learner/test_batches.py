"""Promises of the batches of optimiser steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamssl.learner.batches import Windows, draw_batches, make_sample, window_span_s
from streamssl.replay import Reservoir
from tests.learner.streams import windows


def memory(num_windows: int) -> Reservoir:
    """A reservoir whose windows have negative times."""
    reservoir = Reservoir(shape=(8, 3), max_bytes=10_000)
    x_NTC, time_N = windows(num_windows)
    reservoir.add(x_NTC, time_N - 1_000, np.random.default_rng(0))
    return reservoir


def draw(num_fresh: int, num_held: int, *, num_batches: int = 3) -> list[Windows]:
    batches = draw_batches(
        windows(num_fresh),
        memory(num_held),
        num_batches=num_batches,
        num_samples=16,
        share=0.25,
        generator=np.random.default_rng(0),
    )
    return list(batches)


@pytest.mark.parametrize(
    ("num_fresh", "num_held", "expected"),
    [(50, 50, 12), (5, 50, 5), (0, 50, 0), (50, 0, 16), (5, 0, 16)],
)
def test_batches_are_full_and_keep_the_share(num_fresh: int, num_held: int, expected: int) -> None:
    """Always 16 windows: 12 fresh and 4 replayed where there are enough of both."""
    for x_BTC, time_B in draw(num_fresh, num_held):
        assert x_BTC.shape == (16, 8, 3)
        assert x_BTC.dtype == np.float32
        assert (time_B >= 0).sum() == expected


def test_without_windows_there_is_no_batch() -> None:
    """Nothing fresh and nothing held: no step can be taken."""
    assert draw(0, 0) == []


def test_fresh_windows_take_turns() -> None:
    """Over as many batches as it takes, every fresh window is seen once."""
    times = np.concatenate([time_B[time_B >= 0] for _, time_B in draw(48, 50, num_batches=4)])
    assert sorted(times.tolist()) == list(range(48))


def test_a_span_is_a_windows_share_of_distinct_moments() -> None:
    """Interleaved keys that report together count once; one moment has no span."""
    assert window_span_s(np.repeat(np.arange(0.0, 100.0, 5.0), 7), 8) == 40.0
    assert window_span_s(np.zeros(4), 8) == window_span_s(np.zeros(0), 8) == 0.0


def test_a_sample_holds_windows_past_and_views() -> None:
    """The past lacks the last row; two augmentations differ."""
    sample = make_sample(windows(6), span_s=8.0, device=torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    first, second = (sample.augment(sample.window_BTC, generator) for _ in range(2))
    assert torch.equal(sample.past(sample.window_BTC)[:, 1:], sample.window_BTC[:, :-1])
    assert not torch.equal(first, second)
