"""What comes in, what it consists of, and what goes out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Count, Seconds, Section


class InputConfig(Section):
    """Where events come from and how their bytes are read."""

    topic: str = Field("events", description="Input topic.")
    codec: Literal["json", "arrow"] = Field(
        "json", description="One JSON object a message, or Arrow IPC with many rows."
    )
    start: Literal["earliest", "latest"] = Field(
        "earliest", description="Where a group without committed positions begins."
    )
    time_field: str | None = Field(
        None,
        description="Field with the event time (seconds or milliseconds since 1970, or ISO 8601); "
        "without it the record's timestamp.",
    )
    key_field: str | None = Field(None, description="Field with the key; without it the record's.")
    values_field: str | None = Field(
        None, description="Field that holds all channels as one array (JSON) or list (Arrow)."
    )
    ignore_fields: list[str] = Field([], description="Fields (globs) that are not channels.")
    max_message_bytes: Count = Field(1_048_576, description="Larger messages are dead letters.")
    max_key_bytes: Count = Field(256, description="Longer keys are dead letters.")
    max_events_per_message: Count = Field(65_536, description="More rows are a dead letter.")
    max_poll_messages: Count = Field(2_000, description="Most messages taken by one poll.")


class OutputConfig(Section):
    """One output topic."""

    enabled: bool = Field(True, description="False: the topic is not written.")
    format: Literal["json", "arrow"] = Field(
        "json",
        description="`json`: one message an event; `arrow`: packed, one batch a transaction.",
    )


# What follows `<app.name>.` in the names of the output topics.
OUTPUTS = ("scores", "embeddings", "dlq", "spaces", "journal")


class OutputsConfig(Section):
    """The output topics `<app.name>.scores`, `.embeddings`, `.dlq`, `.spaces`, `.journal`."""

    scores: OutputConfig = OutputConfig()
    embeddings: OutputConfig = OutputConfig(format="arrow")
    create_topics: bool = Field(True, description="Create missing output topics.")
    replication_factor: int = Field(-1, ge=-1, le=10, description="-1: the broker's default.")
    journal_partitions: Count = Field(16, description="Most instances that the group may have.")

    def written(self) -> tuple[str, ...]:
        """Those of `OUTPUTS` that are not switched off."""
        off = {"scores": not self.scores.enabled, "embeddings": not self.embeddings.enabled}
        return tuple(word for word in OUTPUTS if not off.get(word))


class SensorConfig(Section):
    """Numeric channels over time, one stream per key."""

    kind: Literal["sensor"] = Field("sensor", description="What the stream consists of.")
    fields: Literal["auto"] | list[str] = Field(
        "auto", description="Channels by name, or every numeric field of the first event."
    )
    required: bool = Field(False, description="True: an event that lacks a channel is rejected.")
    window: int = Field(32, ge=4, le=1024, description="Rows of context per key.")
    max_keys: Count = Field(100_000, description="Keys with live state; least recent evicted.")
    key_ttl: Seconds | None = Field(
        None, description="Seconds of event time after which an idle key's state is dropped."
    )
    tail_events: Count = Field(
        2_000, description="Input messages re-read to rebuild windows of a partition that moved."
    )
