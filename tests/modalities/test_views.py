"""Promises of the sensor views."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from streamssl.modalities.sensor import views

View = Callable[[Tensor, torch.Generator], Tensor]


def hidden(x_BTC: Tensor, generator: torch.Generator) -> Tensor:
    """What is left of a window of which things are hidden."""
    return views.hide(x_BTC, generator, time=0.25, channels=0.2)[0]


ALL: list[View] = [
    views.jitter,
    views.scaling,
    views.time_mask,
    views.channel_mask,
    views.crop_and_shift,
    views.view,
    hidden,
    views.reorder,
]
every_view = pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(num_windows: int = 64) -> Tensor:
    """Windows that hold 1 + the number of the step, in each of 5 channels."""
    steps_T = torch.arange(1.0, 17.0)
    return steps_T[None, :, None].expand(num_windows, 16, 5).contiguous()


@every_view
@pytest.mark.parametrize("num_windows", [0, 1, 8])
def test_shape_is_kept_and_input_untouched(function: View, num_windows: int) -> None:
    """A view has the shape of its windows, is finite, and never writes into them."""
    x_BTC = ramp(num_windows)
    seen = function(x_BTC, seeded(0))
    assert seen.shape == x_BTC.shape
    assert seen.dtype == torch.float32
    assert seen.isfinite().all()
    assert torch.equal(x_BTC, ramp(num_windows))


@every_view
def test_randomness_comes_from_the_generator(function: View) -> None:
    """One seed gives the same bits, another seed another view."""
    first = function(ramp(), seeded(1))
    assert torch.equal(first, function(ramp(), seeded(1)))
    assert not torch.equal(first, function(ramp(), seeded(2)))


@every_view
def test_windows_get_views_of_their_own(function: View) -> None:
    """Equal windows of a batch get different views."""
    seen = function(ramp(), seeded(0))
    assert len({tuple(row.tolist()) for row in seen.flatten(1)}) > 4


@every_view
def test_missing_stays_missing(function: View) -> None:
    """Zeros, which stand for missing, are not turned into values."""
    assert torch.count_nonzero(function(torch.zeros(4, 16, 5), seeded(0))) == 0


def test_jitter_has_the_stated_deviation() -> None:
    """The noise is white, with the deviation asked for."""
    noise = views.jitter(ramp(400), seeded(0), standard_deviation=0.3) - ramp(400)
    assert noise.std().item() == pytest.approx(0.3, rel=0.03)
    assert abs(noise.mean().item()) < 0.01


def test_scaling_is_one_factor_a_channel() -> None:
    """All steps of a channel share their factor; channels do not."""
    factor = views.scaling(ramp(), seeded(0)) / ramp()
    assert (factor.amax(1) - factor.amin(1)).max().item() < 1e-6
    assert factor[:, 0].std().item() == pytest.approx(0.1, rel=0.2)


def test_time_mask_hides_one_bounded_span() -> None:
    """The hidden steps are consecutive, at most a quarter, and the same in every channel."""
    hidden = views.time_mask(ramp(200), seeded(0)) == 0
    assert torch.equal(hidden.any(2), hidden.all(2))
    span_BT = hidden[:, :, 0]
    edges = (span_BT[:, 1:] != span_BT[:, :-1]).sum(1) + span_BT[:, 0] + span_BT[:, -1]
    assert span_BT.sum(1).max() == 4
    assert edges.max() <= 2


def test_channel_mask_hides_whole_channels() -> None:
    """About a quarter of the channels is zero throughout, the others are untouched."""
    seen = views.channel_mask(ramp(400), seeded(0))
    hidden = (seen == 0).all(1)
    assert hidden.float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(torch.where(hidden[:, None], ramp(400), seen), ramp(400))


def test_crop_and_shift_looks_from_earlier_and_forgets_the_oldest() -> None:
    """The last step is at most two earlier; what is left is consecutive; the rest is zero."""
    seen = views.crop_and_shift(ramp(400), seeded(0))[:, :, 0]
    assert set(seen[:, -1].tolist()) == {14.0, 15.0, 16.0}
    steps = torch.arange(16.0)[None] - (15 - seen[:, -1:])
    assert torch.equal(seen, torch.where(seen == 0, 0.0, steps))
    num_hidden = (seen == 0).sum(1)
    assert num_hidden.min() == 0
    assert 8 <= num_hidden.max() <= 10


def test_past_is_the_window_one_step_earlier() -> None:
    """The past ends before the last row and begins with a row not yet seen."""
    past = views.past(ramp(2))
    assert torch.equal(past[:, 1:], ramp(2)[:, :-1])
    assert torch.count_nonzero(past[:, 0]) == 0


def test_what_is_hidden_is_told() -> None:
    """A span of a quarter of the steps and whole channels; of what is missing nothing is asked."""
    x_BTC = ramp(400)
    x_BTC[:, :, 4] = 0.0
    shown_BTC, hidden_BTC = views.hide(x_BTC, seeded(0), time=0.25, channels=0.2)
    assert torch.equal(shown_BTC, x_BTC * ~hidden_BTC)
    assert not hidden_BTC[:, :, 4].any()
    whole_BC = hidden_BTC[:, :, :4].all(1)
    assert whole_BC.float().mean().item() == pytest.approx(0.2, abs=0.03)
    lengths = hidden_BTC.sum(1)[:, :4][~whole_BC]
    assert set(lengths.tolist()) == {4}


def test_reordered_windows_keep_their_rows() -> None:
    """Two parts change places: the rows are the same, their order never is."""
    x_BTC = ramp(400)
    mixed_BTC = views.reorder(x_BTC, seeded(0))
    steps_BT = mixed_BTC[:, :, 0]
    assert torch.equal(steps_BT.sort(1).values, x_BTC[:, :, 0])
    assert (steps_BT[:, 0] != 1.0).all()
    assert ((steps_BT.diff(dim=1) < 0).sum(1) == 1).all()
    assert len(set(steps_BT[:, 0].tolist())) == 15
