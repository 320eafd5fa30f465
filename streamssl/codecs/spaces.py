"""Announcements to records: an embedding space that begins, a stream that drifts."""

from __future__ import annotations

import msgspec

from streamssl.data.drift import Drift
from streamssl.data.events import OutputRecord


class SpaceValue(msgspec.Struct, frozen=True):
    """The value of a message that announces a space.

    Attributes:
        space: What the vectors of this space carry.
        previous: The space before it, None for the instance's first.
        epoch: First epoch whose vectors lie in it.
        instance: Whose networks made it.
        reason: Why it began.
        kind: What kind of announcement it is.
    """

    space: str
    previous: str | None
    epoch: int
    instance: int
    reason: str
    kind: str = "space"


class DriftValue(msgspec.Struct, frozen=True):
    """The value of a message that announces a drift; its fields are those of `Drift`.

    Attributes:
        instance: Whose partitions drifted.
        kind: What kind of announcement it is.
    """

    what: str
    epoch: int
    time: float
    since: float
    before: float
    after: float
    instance: int
    kind: str = "drift"


def encode_space(value: SpaceValue) -> OutputRecord:
    """One record, under the name of the space: the topic is compacted."""
    return OutputRecord("spaces", value.space.encode(), msgspec.json.encode(value))


def encode_drift(drift: Drift, instance: int) -> OutputRecord:
    """One record, under the name of what drifted, so that compaction leaves the newest of each."""
    key = f"{instance}/drift/{drift.what}"
    value = DriftValue(**drift._asdict(), instance=instance)
    return OutputRecord("spaces", key.encode(), msgspec.json.encode(value))
