"""From the newest and the replayed inputs to the samples of optimiser steps.

N = fresh inputs, B = samples of a step.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from streamssl.data.events import FloatArray
from streamssl.data.inputs import KEY, Inputs, concat_inputs, take_inputs
from streamssl.learner.replay import Policy
from streamssl.objectives import Sample

Timed = tuple[Inputs, FloatArray]


def draw_batches(
    fresh: Timed,
    memory: Policy,
    *,
    num_batches: int,
    num_samples: int,
    share: float,
    generator: np.random.Generator,
) -> Iterator[Timed]:
    """Batches of exactly `num_samples` inputs: the replayed `share`, the rest fresh.

    Fresh inputs take turns; where they are too few, replayed ones take their place, and the
    other way round while nothing is held. Without any input there is no batch.
    """
    inputs, time_N = fresh
    num_fresh = min(round((1.0 - share) * num_samples), len(time_N))
    if not len(memory):
        num_fresh = num_samples if len(time_N) else 0
    if not len(memory) and not num_fresh:
        return
    order_N = generator.permutation(len(time_N))
    for batch in range(num_batches):
        turn = np.arange(batch * num_fresh, (batch + 1) * num_fresh)
        rows = order_N[turn % max(len(order_N), 1)]
        old, old_time_B = memory.sample(num_samples - num_fresh, generator)
        yield (
            concat_inputs([take_inputs(inputs, rows), old]),
            np.concatenate([time_N[rows], old_time_B]),
        )


def make_sample(timed: Timed, *, span_s: float, device: torch.device) -> Sample:
    """A batch of inputs with their times, on `device`."""
    inputs = {name: torch.from_numpy(x).to(device) for name, x in timed[0].items()}
    return Sample(
        key_B=inputs.pop(KEY, None),
        inputs=inputs,
        event_time_B=torch.from_numpy(timed[1]).to(device),
        span_s=span_s,
    )


def input_span_s(event_time_N: FloatArray, steps: int) -> float:
    """Seconds that an input spans: its steps times the median gap between distinct moments.

    Keys that report at the same moments share their gap with the stream; 0 where it is unknown.
    """
    moments = np.unique(event_time_N)
    return float(steps * np.median(np.diff(moments))) if len(moments) > 1 else 0.0
