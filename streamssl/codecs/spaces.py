"""The announcement of an embedding space to a record."""

from __future__ import annotations

import msgspec

from streamssl.data.events import OutputRecord


class SpaceValue(msgspec.Struct, frozen=True):
    """The value of a space message.

    Attributes:
        space: What the vectors of this space carry.
        previous: The space before it, None for the instance's first.
        epoch: First epoch whose vectors lie in it.
        instance: Whose networks made it.
        reason: Why it began.
    """

    space: str
    previous: str | None
    epoch: int
    instance: int
    reason: str


def encode_space(value: SpaceValue) -> OutputRecord:
    """One record, under the name of the space: the topic is compacted."""
    return OutputRecord("spaces", value.space.encode(), msgspec.json.encode(value))
