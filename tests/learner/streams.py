"""A small learner and a small stream for its tests.

N = windows, T = steps, C = channels.
"""

from __future__ import annotations

import numpy as np
import torch

from streamssl.config.sections import LearnConfig, LearnerConfig, ObjectivesConfig, ReplayConfig
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.inputs import Inputs, InputSpec, LazyInputs, take_inputs
from streamssl.learner import Learner, LearnReport
from streamssl.modalities.sensor.backbones import BACKBONES
from streamssl.modalities.sensor.encoder import block_means
from streamssl.modalities.sensor.network import SensorNetwork
from streamssl.modalities.sensor.views import past

NUM_STEPS, NUM_CHANNELS, EPOCH = 8, 3, 24
LEARNER = LearnerConfig(embedding=8, hidden=16, projection=8)
LEARN = LearnConfig(
    batch=16,
    upkeep_batch=16,
    burst_after=40,
    burst_steps=12,
    burst_slice=5,
    samples_per_event=1.0,
    every=32,
)


class Held(LazyInputs):
    """Inputs that are there already, for the backbone named."""

    def __init__(self, x_NTC: Float32Array, backbone: str = "summary") -> None:
        self.x_NTC, self.backbone = x_NTC, backbone

    def __len__(self) -> int:
        return len(self.x_NTC)

    def __getitem__(self, rows: slice | IntArray) -> Inputs:
        return {"window": self.x_NTC[rows]}

    def for_inference(self, rows: slice) -> Inputs:
        x_NTC = torch.from_numpy(self.x_NTC[rows])
        sizes = BACKBONES[self.backbone].blocks(*x_NTC.shape[1:])
        windows = {"summary": x_NTC, "before": past(x_NTC)}
        return {name: block_means(x, sizes).numpy() for name, x in windows.items()}


def spec_of(num_channels: int, window: int) -> InputSpec:
    """Windows of some channels."""
    arrays = {"window": ((window, num_channels), np.float32)}
    return InputSpec(arrays, width=num_channels, steps=window)


def make_learner(
    *,
    learner: LearnerConfig = LEARNER,
    learn: LearnConfig = LEARN,
    objectives: ObjectivesConfig | None = None,
    replay: ReplayConfig | None = None,
    seed: int = 0,
    shape: tuple[int, int] = (NUM_CHANNELS, NUM_STEPS),
    next_step: bool = False,
) -> Learner:
    """A learner of windows of 3 channels and 8 steps."""
    return Learner(
        network=lambda config: SensorNetwork(
            num_channels=shape[0], window=shape[1], config=config, next_step=next_step
        ),
        spec=spec_of(*shape),
        learner=learner,
        learn=learn,
        objectives=objectives,
        replay=replay or ReplayConfig(max_bytes=10_000),
        seed=seed,
    )


def windows(num_windows: int, start: int = 0) -> tuple[Float32Array, FloatArray]:
    """Windows of three phase-shifted noisy waves, and their event times."""
    generator = np.random.default_rng(start)
    step_NT = np.arange(start, start + num_windows)[:, None] + np.arange(NUM_STEPS)
    wave = np.sin(step_NT[:, :, None] / 5.0 + np.arange(NUM_CHANNELS))
    x_NTC = wave + generator.normal(0.0, 0.1, wave.shape)
    return x_NTC.astype(np.float32), np.arange(start, start + num_windows, dtype=np.float64)


def close_epoch(learner: Learner, epoch: int, *, num_fresh: int = EPOCH) -> LearnReport:
    """Close epoch number `epoch` (from 1), of which the first `num_fresh` rows passed the gate."""
    x_NTC, time_N = windows(EPOCH, start=EPOCH * epoch)
    return learner.learn(
        take_inputs({"window": x_NTC}, slice(0, num_fresh)),
        time_N[:num_fresh],
        epoch=epoch,
        num_events=EPOCH,
        num_learnt=EPOCH * epoch,
        now_s=float(time_N[-1]),
    )
