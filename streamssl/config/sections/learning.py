"""The networks: their sizes, when and from what they learn."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Count, Ratio, Seconds, Section, Weight


class LearnerConfig(Section):
    """The networks."""

    enabled: bool = Field(
        True, description="False: there are none; the statistics alone score, without embeddings."
    )
    device: str = Field(
        "cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="`cpu`, `cuda` or `cuda:<index>`."
    )
    embedding: int = Field(64, ge=2, le=4096, description="Size D of the embedding.")
    hidden: int = Field(128, ge=2, le=8192, description="Width of the hidden layers.")
    projection: int = Field(64, ge=2, le=4096, description="Size of the projected views.")
    momentum: Ratio = Field(0.99, description="Momentum of the teacher (1 = never moves).")
    learning_rate: float = Field(3e-3, gt=0.0, description="Peak of the burst's one-cycle.")
    upkeep_learning_rate: float = Field(1e-4, gt=0.0, description="Constant rate afterwards.")
    weight_decay: Weight = Field(1e-2, description="AdamW's decoupled decay.")
    max_gradient_norm: float = Field(1.0, gt=0.0, description="Gradients are clipped to it.")
    own_process: bool = Field(
        True,
        description="`run`: the learner in a process of its own, beside Kafka's and the codecs' "
        "work; `false` saves memory where there is one core.",
    )
    num_threads: Count = Field(
        1, description="torch threads; BLAS takes OPENBLAS_NUM_THREADS (1). Results depend on both."
    )


class LearnConfig(Section):
    """When learning happens and how much."""

    enabled: bool = Field(True, description="False: the networks are never trained.")
    every: int = Field(4_096, ge=32, description="Events of a full-grown epoch.")
    max_wait_s: Seconds = Field(5.0, description="A live epoch ends after this time.")
    live_every: int = Field(
        1_024,
        ge=32,
        description="A live epoch ends at so many events where no more input waits: scores wait "
        "while it is learnt.",
    )
    max_stretch: Count = Field(
        8,
        description="Where more input waits, a live epoch takes up to so many times as much: a "
        "fast stream is young for a shorter time, and ends of epochs cost it less; 1: never.",
    )
    batch: int = Field(
        32, ge=2, description="Samples of a step of the burst (fewer above 128 channels)."
    )
    upkeep_batch: int = Field(256, ge=2, description="Samples of a later step, likewise.")
    burst_after: Count = Field(1_000, description="Learnt rows before the first training burst.")
    burst_steps: int = Field(200, ge=0, description="Optimiser steps of the first burst.")
    burst_slice: Count = Field(
        32,
        description="Most burst steps at one epoch's end; while input waits, one per 128 events.",
    )
    samples_per_event: float = Field(
        0.25, ge=0.0, description="Samples (fresh and replayed) trained per event in upkeep."
    )
    thin_above_lag: Count = Field(
        50_000, description="Lag in messages above which learning is thinned."
    )


class ObjectiveConfig(Section):
    """Weight of one objective; 0 switches it off."""

    weight: Weight = Field(1.0, description="Weight in the summed loss; 0 switches it off.")


class MocoConfig(ObjectiveConfig):
    """Momentum contrast with a queue of negatives (He et al. 2020)."""

    weight: Weight = Field(0.1, description="Weight in the summed loss; 0 switches it off.")
    temperature: float = Field(0.2, gt=0.0, description="Of the softmax over negatives.")
    queue: int = Field(1_024, ge=2, description="Negatives kept.")
    samples: Count = Field(64, description="Most windows of a batch that are contrasted.")
    every: Count = Field(8, description="Contrast in every n-th step: views take most of its time.")


class NextStepConfig(ObjectiveConfig):
    """Prediction of the next row from the rows before it."""

    every: Count = Field(8, description="Predict in every n-th step: it takes a pass of its own.")


class AutoencoderConfig(ObjectiveConfig):
    """Denoising autoencoder (Vincent et al. 2008) with whole-channel masks."""

    noise: Weight = Field(0.2, description="Standard deviation of the added noise.")
    mask: Ratio = Field(0.25, description="Share of channels hidden.")


class ObjectivesConfig(Section):
    """The pretext tasks, weighted and summed."""

    moco: MocoConfig = MocoConfig()
    next_step: NextStepConfig = NextStepConfig()
    autoencoder: AutoencoderConfig = AutoencoderConfig()


class ReplayConfig(Section):
    """What is kept of the past for training."""

    policy: Literal["reservoir"] = Field(
        "reservoir", description="`reservoir`: a uniform sample of everything seen."
    )
    max_bytes: Count = Field(64 * 2**20, description="Most bytes held.")
    share: Ratio = Field(0.5, description="Replayed share of each training batch.")
    max_age: Seconds | None = Field(None, description="Seconds of event time samples are kept.")
