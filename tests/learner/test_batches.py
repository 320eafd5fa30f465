"""Promises of the batches of optimiser steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamssl.learner.batches import Timed, draw_batches, input_span_s, make_sample
from streamssl.learner.replay import Reservoir
from tests.learner.streams import spec_of, windows


def memory(num_windows: int) -> Reservoir:
    """A reservoir whose windows have negative times."""
    reservoir = Reservoir(spec=spec_of(3, 8), max_bytes=10_000)
    x_NTC, time_N = windows(num_windows)
    reservoir.add({"window": x_NTC}, time_N - 1_000, np.random.default_rng(0))
    return reservoir


def draw(num_fresh: int, num_held: int, *, num_batches: int = 3) -> list[Timed]:
    x_NTC, time_N = windows(num_fresh)
    batches = draw_batches(
        ({"window": x_NTC}, time_N),
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
    for inputs, time_B in draw(num_fresh, num_held):
        assert inputs["window"].shape == (16, 8, 3)
        assert inputs["window"].dtype == np.float32
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
    assert input_span_s(np.repeat(np.arange(0.0, 100.0, 5.0), 7), 8) == 40.0
    assert input_span_s(np.zeros(4), 8) == input_span_s(np.zeros(0), 8) == 0.0


def test_a_sample_holds_inputs_and_times() -> None:
    """Every array of the inputs is a tensor on the device, beside its event times."""
    x_NTC, time_N = windows(6)
    sample = make_sample(({"window": x_NTC}, time_N), span_s=8.0, device=torch.device("cpu"))
    assert torch.equal(sample.inputs["window"], torch.from_numpy(x_NTC))
    assert sample.event_time_B.tolist() == time_N.tolist()
