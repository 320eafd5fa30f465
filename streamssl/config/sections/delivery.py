"""What the daemon promises to subscribers of its results."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Count, Section


class DeliveryConfig(Section):
    """What a subscriber may rely on."""

    mode: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once",
        description="`exactly_once`: a read_committed subscriber sees each result once; "
        "`at_least_once`: none is lost, repeats carry the same id.",
    )
    commit_interval_ms: Count = Field(50, description="Longest time a result waits to be sent.")
    max_events: Count = Field(4_096, description="Most messages in one transaction.")
