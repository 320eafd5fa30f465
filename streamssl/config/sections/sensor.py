"""A stream of sensors: numeric channels over time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Broken
from streamssl.config.sections.modality import ColumnSpec, ModalityConfig


class SensorConfig(ModalityConfig):
    """Numeric channels over time, one stream per key."""

    core_name = "gaussian"

    kind: Literal["sensor"] = Field("sensor", description="What the stream consists of.")
    fields: Literal["auto"] | list[str] = Field(
        "auto",
        description="Channels by name, or the numeric fields of the first epoch's events "
        "(docs/channels.md).",
    )
    required: bool = Field(False, description="True: an event that lacks a channel is rejected.")
    window: int = Field(32, ge=4, le=1024, description="Rows of context per key.")
    next_step_residual: bool = Field(
        False, description="Whether the networks' residuals hold those of the next-step prediction."
    )

    def columns(self) -> ColumnSpec:
        """The channels by name, or `auto`; there are no texts."""
        numbers = self.fields if self.fields == "auto" else tuple(self.fields)
        return ColumnSpec(numbers, required=self.required)

    def broken_rules(self) -> Iterator[Broken]:
        """Channels that are named are at least one, each of them once."""
        if self.fields == "auto":
            return
        if not self.fields:
            yield "fields", "names no channel; write `auto` or at least one name"
        for field in sorted({field for field in self.fields if self.fields.count(field) > 1}):
            yield "fields", f"{field!r} is named twice"
