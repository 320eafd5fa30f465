"""Promises of the networks' inputs: what is read is the summary of what is learned from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.modalities.sensor.encoder import MAX_CHANNELS, block_means, block_sizes
from streamssl.modalities.sensor.views import past
from streamssl.modalities.sensor.windows import SensorWindows


@settings(max_examples=40, deadline=None)
@given(
    window=st.integers(4, 70),
    num_channels=st.sampled_from((1, 3, MAX_CHANNELS + 1)),
    seed=st.integers(0, 99),
)
def test_summaries_are_those_of_the_windows(window: int, num_channels: int, seed: int) -> None:
    """Sums that windows share give the bits of each window's own, one row earlier too."""
    generator = np.random.default_rng(seed)
    z_LC = generator.normal(size=(window + 40, num_channels)).astype(np.float32)
    place_B = window - 1 + generator.permutation(41)
    inputs = SensorWindows(z_LC, place_B, window, next_step=True)
    windows = torch.from_numpy(inputs[np.arange(len(inputs))]["window"])
    read = inputs.for_inference(slice(0, len(inputs)))
    sizes = block_sizes(window, num_channels)
    assert np.array_equal(read["summary"], block_means(windows, sizes).numpy())
    assert np.array_equal(read["before"], block_means(past(windows), sizes).numpy())


@pytest.mark.parametrize("num_rows", [0, 5])
def test_no_event_has_no_summary(num_rows: int) -> None:
    """A batch without events, with or without rows of its keys, has tables of no rows."""
    inputs = SensorWindows(np.zeros((num_rows, 2), np.float32), np.zeros(0, np.int64), 8)
    assert inputs.for_inference(slice(0, 128))["summary"].shape == (0, 8, 2)
