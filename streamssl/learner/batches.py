"""From the newest and the replayed windows to the samples of optimiser steps.

N = fresh windows, B = samples of a step, T = steps, C = channels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from streamssl.events import Float32Array, FloatArray
from streamssl.modalities.sensor.views import past, view
from streamssl.objectives import Sample
from streamssl.replay import Policy

Windows = tuple[Float32Array, FloatArray]


def draw_batches(
    fresh: Windows,
    memory: Policy,
    *,
    num_batches: int,
    num_samples: int,
    share: float,
    generator: np.random.Generator,
) -> Iterator[Windows]:
    """Batches of exactly `num_samples` windows: the replayed `share`, the rest fresh.

    Fresh windows take turns; where they are too few, replayed ones take their place, and the
    other way round while nothing is held. Without any window there is no batch.
    """
    fresh_NTC, time_N = fresh
    num_fresh = min(round((1.0 - share) * num_samples), len(fresh_NTC))
    if not len(memory):
        num_fresh = num_samples if len(fresh_NTC) else 0
    if not len(memory) and not num_fresh:
        return
    order_N = generator.permutation(len(fresh_NTC))
    for batch in range(num_batches):
        turn = np.arange(batch * num_fresh, (batch + 1) * num_fresh)
        rows = order_N[turn % max(len(order_N), 1)]
        old_BTC, old_time_B = memory.sample(num_samples - num_fresh, generator)
        yield (
            np.concatenate([fresh_NTC[rows], old_BTC]),
            np.concatenate([time_N[rows], old_time_B]),
        )


def make_sample(windows: Windows, *, span_s: float, device: torch.device) -> Sample:
    """A batch of windows with their times, pasts and views, on `device`."""
    window_BTC = torch.from_numpy(windows[0]).to(device)
    return Sample(
        window_BTC=window_BTC,
        past=past,
        augment=view,
        event_time_B=torch.from_numpy(windows[1]).to(device),
        span_s=span_s,
    )


def window_span_s(event_time_N: FloatArray, window: int) -> float:
    """Seconds that a window spans: its rows times the median gap between distinct moments.

    Keys that report at the same moments share their gap with the stream; 0 where it is unknown.
    """
    moments = np.unique(event_time_N)
    return float(window * np.median(np.diff(moments))) if len(moments) > 1 else 0.0
