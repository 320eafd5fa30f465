"""Where events come from, and what their fields mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Broken, Count, Section

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class InputConfig(Section):
    """Where events come from and how their bytes are read."""

    topic: str = Field("events", description="Input topic.")
    codec: Literal["json", "arrow"] = Field(
        "json", description="One JSON object a message, or Arrow IPC with many rows."
    )
    start: Literal["earliest", "latest"] = Field(
        "earliest",
        description="Where a group without committed positions begins; a partition that is added "
        "later is found within a minute, and begins at its first message.",
    )
    time_field: str | None = Field(
        None,
        description="Field with the event time (seconds, milli-, micro- or nanoseconds since 1970, "
        "or ISO 8601); without it the record's timestamp.",
    )
    key_field: str | None = Field(None, description="Field with the key; without it the record's.")
    values_field: str | None = Field(
        None, description="Field that holds all numbers as one array (JSON) or list (Arrow)."
    )
    numbers_as_text: bool = Field(
        False, description='Read numbers that are written as text, too, such as "21.5".'
    )
    on_bad_field: Literal["reject", "missing"] = Field(
        "reject",
        description="What a field costs that is no number, or none that can be (infinite, beyond "
        "float32): `reject` the event (a dead letter), or `missing`: only the field is missing, "
        "and counted in `bad_fields_total`. An event that must have all fields is always refused.",
    )
    ignore_fields: list[str] = Field([], description="Fields (globs) that are left out.")
    max_message_bytes: Count = Field(1_048_576, description="Larger messages are dead letters.")
    max_key_bytes: Count = Field(256, description="Longer keys are dead letters.")
    max_events_per_message: Count = Field(65_536, description="More rows are a dead letter.")
    max_poll_messages: Count = Field(2_000, description="Most messages taken by one poll.")

    def special_fields(self) -> dict[str, str]:
        """Fields with a meaning of their own: the setting that names each, and its name."""
        keys = ("time_field", "key_field", "values_field")
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}

    def broken_rules(self) -> Iterator[Broken]:
        """The topic can exist, and no field has two meanings."""
        if not _TOPIC.fullmatch(self.topic) or self.topic in (".", ".."):
            allowed = "letters, digits, `.`, `_` and `-` only"
            yield "topic", f"{self.topic!r} is no topic name: {allowed}"
        special = self.special_fields()
        for place, (key, field) in enumerate(special.items()):
            if not field:
                yield key, "'' names no field; leave the setting out, or write null"
            if field in list(special.values())[:place]:
                yield key, f"{field!r} has another meaning in input, too; name it once"
