"""Promises of the window encoder."""

from __future__ import annotations

from itertools import accumulate

import pytest
import torch

from streamssl.modalities.sensor.encoder import (
    MAX_CHANNELS,
    WindowEncoder,
    block_means,
    block_sizes,
)


def encoder(num_channels: int, window: int) -> WindowEncoder:
    torch.manual_seed(0)
    return WindowEncoder(num_channels=num_channels, window=window, hidden=16, embedding=8)


@pytest.mark.parametrize("num_channels", [1, MAX_CHANNELS + 1])
@pytest.mark.parametrize("window", [4, 5, 8, 9, 31, 32, 100, 1_024])
def test_blocks_cover_the_window_once(window: int, num_channels: int) -> None:
    """Every row is in exactly one block, the newest alone, and there are few blocks."""
    sizes = block_sizes(window, num_channels)
    assert sum(sizes) == window
    assert sizes[-1] == 1
    assert min(sizes) >= 1
    assert len(sizes) <= 40


@pytest.mark.parametrize("window", [4, 32, 50, 100])
def test_summary_rows_are_means(window: int) -> None:
    """Each summary row is the mean of its block, and shares rebuild the window's mean."""
    sizes = block_sizes(window, 2)
    x_BTC = torch.randn(3, window, 2, generator=torch.Generator().manual_seed(1))
    means_BSC = block_means(x_BTC, sizes)
    ends = [*accumulate(sizes)]
    blocks = [x_BTC[:, end - size : end] for end, size in zip(ends, sizes, strict=True)]
    expected_BSC = torch.stack([block.mean(1) for block in blocks], dim=1)
    torch.testing.assert_close(means_BSC, expected_BSC)
    share_S = encoder(2, window).share_S
    torch.testing.assert_close(share_S @ means_BSC, x_BTC.mean(1))


@pytest.mark.parametrize("num_channels", [1, 38, MAX_CHANNELS, MAX_CHANNELS + 1, 500])
def test_any_number_of_channels(num_channels: int) -> None:
    """One channel or 500 give a finite embedding of the same size, an empty batch an empty one."""
    model = encoder(num_channels, 32)

    def embed(x_BTC: torch.Tensor) -> torch.Tensor:
        embedding_BD: torch.Tensor = model(model.summarise(x_BTC))
        return embedding_BD

    assert embed(torch.randn(3, 32, num_channels)).shape == (3, 8)
    assert embed(torch.zeros(0, 32, num_channels)).shape == (0, 8)
    assert embed(torch.full((2, 32, num_channels), 5.0)).isfinite().all()


def test_every_row_and_channel_counts() -> None:
    """A change of any value of the window moves the embedding."""
    x_BTC = torch.randn(1, 12, 3, requires_grad=True)
    model = encoder(3, 12)
    model(model.summarise(x_BTC)).square().sum().backward()
    assert x_BTC.grad is not None
    assert (x_BTC.grad.abs() > 0).all()


def test_an_embedding_does_not_depend_on_batch_mates() -> None:
    """There is no statistic across the batch, in training mode as well."""
    model = encoder(3, 12).train()
    x_BTC = torch.randn(6, 12, 3)
    changed_BTC = torch.cat([x_BTC[:3], 5 * torch.randn(3, 12, 3)])
    assert torch.equal(model(model.summarise(x_BTC))[:3], model(model.summarise(changed_BTC))[:3])
