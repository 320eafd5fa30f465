"""Augmented views of sensor windows, and the window from which the next row is predicted.

Every function is pure, vectorised over the batch, and draws from the generator that it is given
(on the windows' device).
Zero stands for missing and for not yet seen, in the views as in the windows.

B = events, T = steps, C = channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

# docs/research-log.md, "Constants of the arithmetic"
JITTER = 0.1
SCALING = 0.1
TIME_MASK = 0.25
CHANNEL_MASK = 0.25
CROP = 0.5
SHIFT = 2


def jitter(
    x_BTC: Tensor, generator: torch.Generator, *, standard_deviation: float = JITTER
) -> Tensor:
    """White noise where there are values: x + N(0, sd^2)."""
    noise_BTC = torch.empty_like(x_BTC).normal_(0.0, standard_deviation, generator=generator)
    return noise_BTC.mul_(x_BTC != 0).add_(x_BTC)


def scaling(
    x_BTC: Tensor, generator: torch.Generator, *, standard_deviation: float = SCALING
) -> Tensor:
    """Other amplitudes: x f, one factor f ~ N(1, sd^2) for each channel of each window."""
    factor_B1C = torch.empty_like(x_BTC[:, :1]).normal_(
        1.0, standard_deviation, generator=generator
    )
    return x_BTC * factor_B1C


def time_mask(x_BTC: Tensor, generator: torch.Generator, *, share: float = TIME_MASK) -> Tensor:
    """Hide one span of at most `share` of the steps, each window its own."""
    longest = int(share * x_BTC.shape[1])
    length_B1 = _integers(len(x_BTC), longest + 1, generator)
    return x_BTC * ~_spans(length_B1, x_BTC.shape[1], generator)[:, :, None]


def channel_mask(
    x_BTC: Tensor, generator: torch.Generator, *, share: float = CHANNEL_MASK
) -> Tensor:
    """Hide whole channels, each with probability `share`: x [u >= share], u ~ U(0, 1)."""
    draw_B1C = torch.empty_like(x_BTC[:, :1]).uniform_(generator=generator)
    return x_BTC * (draw_B1C >= share)


def crop_and_shift(
    x_BTC: Tensor, generator: torch.Generator, *, share: float = CROP, max_shift: int = SHIFT
) -> Tensor:
    """Forget up to `share` of the oldest steps, and look from up to `max_shift` steps earlier."""
    num_steps = x_BTC.shape[1]
    crop_B1 = _integers(len(x_BTC), int(share * num_steps) + 1, generator)
    shift_B1 = _integers(len(x_BTC), min(max_shift, num_steps - 1) + 1, generator)
    source_BT = torch.arange(num_steps, device=x_BTC.device)[None, :] - shift_B1
    row_B1 = torch.arange(len(x_BTC), device=x_BTC.device)[:, None]
    shifted_BTC = x_BTC[row_B1, source_BT.clamp(min=0)]
    return shifted_BTC * (source_BT >= crop_B1)[:, :, None]


def view(x_BTC: Tensor, generator: torch.Generator) -> Tensor:
    """One view: another moment, another length, other amplitudes, gaps and noise."""
    x_BTC = crop_and_shift(x_BTC, generator)
    x_BTC = jitter(scaling(x_BTC, generator), generator)
    return channel_mask(time_mask(x_BTC, generator), generator)


def corrupt(
    summary_BSC: Tensor, rows_S: Tensor, generator: torch.Generator, *, noise: float, mask: float
) -> Tensor:
    """(s + N(0, noise^2 / R)) [u >= mask], u ~ U(0, 1) one draw for each channel of each window.

    White noise, and whole channels hidden with probability `mask`. The mean of R rows with noise
    of their own is off by that noise over the root of R: the encoder sees summaries s only, so it
    is added there, and there is half as much to draw.
    """
    noise_BSC = torch.empty_like(summary_BSC).normal_(0.0, noise, generator=generator)
    noise_BSC.mul_(rows_S.rsqrt()[:, None]).add_(summary_BSC)
    draw_B1C = torch.empty_like(summary_BSC[:, :1]).uniform_(generator=generator)
    return noise_BSC.mul_(draw_B1C >= mask)


def hide(
    x_BTC: Tensor, generator: torch.Generator, *, time: float, channels: float
) -> tuple[Tensor, Tensor]:
    """Hide one span of `time` of the steps, and whole channels with probability `channels`.

    Returns:
        What is left, and a mask of what was hidden: of values, not of what is missing anyway.
    """
    length_B1 = torch.full((len(x_BTC), 1), round(time * x_BTC.shape[1]), device=x_BTC.device)
    span_BT = _spans(length_B1, x_BTC.shape[1], generator)
    channel_B1C = torch.empty_like(x_BTC[:, :1]).uniform_(generator=generator) < channels
    hidden_BTC = span_BT[:, :, None] | channel_B1C
    return x_BTC * ~hidden_BTC, hidden_BTC & (x_BTC != 0)


def reorder(x_BTC: Tensor, generator: torch.Generator) -> Tensor:
    """Two parts of each window change places: what came after a random moment stands before it."""
    num_steps = x_BTC.shape[1]
    cut_B1 = 1 + _integers(len(x_BTC), num_steps - 1, generator)
    step_BT = torch.arange(num_steps, device=x_BTC.device)[None, :] + cut_B1
    row_B1 = torch.arange(len(x_BTC), device=x_BTC.device)[:, None]
    return x_BTC[row_B1, step_BT % num_steps]


def past(x_BTC: Tensor) -> Tensor:
    """What was known before the last row: the window one step earlier, zeros at its start."""
    past_BTC = torch.zeros_like(x_BTC)
    past_BTC[:, 1:] = x_BTC[:, :-1]
    return past_BTC


def _spans(length_B1: Tensor, num_steps: int, generator: torch.Generator) -> Tensor:
    """`[B, T]` true within a span of the given length at a random place."""
    start_B1 = (_uniform(len(length_B1), generator) * (num_steps - length_B1 + 1)).long()
    step_1T = torch.arange(num_steps, device=length_B1.device)[None, :]
    return (step_1T >= start_B1) & (step_1T < start_B1 + length_B1)


def _uniform(count: int, generator: torch.Generator) -> Tensor:
    return torch.rand((count, 1), generator=generator, device=generator.device)


def _integers(count: int, stop: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, stop, (count, 1), generator=generator, device=generator.device)
