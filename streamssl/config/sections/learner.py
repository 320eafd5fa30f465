"""The networks: their sizes, and how their weights move."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Ratio, Section, Weight


class LearnerConfig(Section):
    """The networks: their sizes, and how their weights move."""

    enabled: bool = Field(
        True, description="False: there are none; the statistics alone score, without embeddings."
    )
    device: str = Field(
        "cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="`cpu`, `cuda` or `cuda:<index>`."
    )
    backbone: Literal["summary", "mlp", "tcn", "gru", "transformer", "linear_recurrent"] = Field(
        "summary",
        description="Encoder of sensor windows: `summary` of means over blocks, or another over "
        "whole windows (docs/palette.md).",
    )
    stem: bool = Field(
        True,
        description="Closed-form slices of the embedding, solved from sums: `state`, `character` "
        "and `fault` of sensor streams.",
    )
    embedding: int = Field(
        32, ge=2, le=4096, description="Size of the networks' slice of the embedding."
    )
    hidden: int = Field(64, ge=2, le=8192, description="Width of the hidden layers.")
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
    num_threads: int = Field(
        1,
        ge=1,
        le=1024,
        description="torch threads; BLAS takes OPENBLAS_NUM_THREADS (1). Results depend on both.",
    )
