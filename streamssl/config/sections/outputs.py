"""What goes out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Count, Section


class OutputConfig(Section):
    """Whether an output topic is written, and how."""

    enabled: bool = Field(True, description="False: the topic is not written.")
    format: Literal["json", "arrow"] = Field(
        "json",
        description="`json`: one message an event; `arrow`: packed, one batch a transaction.",
    )


# What follows `<app.name>.` in the names of the output topics.
OUTPUTS = ("scores", "embeddings", "incidents", "dlq", "spaces", "journal")


class OutputsConfig(Section):
    """Topics: `<app.name>.scores`, `.embeddings`, `.incidents`, `.dlq`, `.spaces`, `.journal`."""

    scores: OutputConfig = OutputConfig()
    embeddings: OutputConfig = OutputConfig(format="arrow")
    incidents: OutputConfig = OutputConfig()
    create_topics: bool = Field(True, description="Create missing output topics.")
    replication_factor: int = Field(-1, ge=-1, le=10, description="-1: the broker's default.")
    journal_partitions: Count = Field(16, description="Most instances that the group may have.")

    def written(self) -> tuple[str, ...]:
        """Those of `OUTPUTS` that are not switched off."""
        switched = {n: getattr(self, n) for n in ("scores", "embeddings", "incidents")}
        off = [name for name, output in switched.items() if not output.enabled]
        return tuple(word for word in OUTPUTS if word not in off)
