"""When and how much is learnt."""

from __future__ import annotations

from pydantic import Field

from streamssl.config.sections.base import Count, Seconds, Section


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
        32,
        ge=2,
        description="Samples of a step of the burst (fewer if events have over 128 values).",
    )
    upkeep_batch: int = Field(256, ge=2, description="Samples of a later step, likewise.")
    burst_after: Count = Field(1_000, description="Learnt events before the first training burst.")
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
