"""What is kept of the past for training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Count, Ratio, Seconds, Section


class ReplayConfig(Section):
    """What is kept of the past for training."""

    policy: Literal["reservoir", "fifo", "min_redundancy", "fifo_then_reservoir"] = Field(
        "reservoir",
        description="`reservoir`: a uniform sample of everything seen; `fifo`: the newest; "
        "`min_redundancy`: what resembles another leaves first; `fifo_then_reservoir`: half of the "
        "bytes the newest, half a uniform sample of all before.",
    )
    max_bytes: Count = Field(64 * 2**20, description="Most bytes held.")
    share: Ratio = Field(0.5, description="Replayed share of each training batch.")
    max_age: Seconds | None = Field(None, description="Seconds of event time samples are kept.")
