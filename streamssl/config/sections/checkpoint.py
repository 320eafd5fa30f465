"""When state is saved, and how many copies are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Count, Seconds, Section


class CheckpointConfig(Section):
    """When state is saved, and how many copies are kept."""

    every_events: Count = Field(200_000, description="Events between checkpoints.")
    every_s: Seconds = Field(60.0, description="Seconds between checkpoints.")
    keep: Count = Field(3, description="Checkpoints kept.")
    on_corruption: Literal["previous", "fail"] = Field(
        "previous", description="Use the previous checkpoint, or end with exit code 4."
    )
