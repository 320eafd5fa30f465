"""When a change of the stream is called a drift."""

from __future__ import annotations

from pydantic import Field

from streamssl.config.sections.base import Section


class DriftConfig(Section):
    """Drift of the stream: noticed at ends of epochs, counted and announced."""

    enabled: bool = Field(True, description="False: nothing is watched.")
    sensitivity: float = Field(
        1e-4,
        gt=0.0,
        lt=1.0,
        description="ADWIN's delta: a larger one notices smaller and younger changes, and reports "
        "more of what is none.",
    )
