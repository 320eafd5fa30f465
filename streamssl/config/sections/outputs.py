"""What goes out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Broken, Section


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
    journal_partitions: int = Field(
        16, ge=1, le=1024, description="Most instances that the group may have."
    )

    def written(self) -> tuple[str, ...]:
        """Those of `OUTPUTS` that are not switched off."""
        switched = {n: getattr(self, n) for n in ("scores", "embeddings", "incidents")}
        off = [name for name, output in switched.items() if not output.enabled]
        return tuple(word for word in OUTPUTS if word not in off)

    def broken_rules(self) -> Iterator[Broken]:
        """A topic has a copy at least, or as many as the broker likes."""
        if self.replication_factor == 0:
            yield "replication_factor", "0 keeps no copy of a topic; write -1 (the broker's), or 1"
