"""Announcements to records: an embedding space that begins, a stream that drifts."""

from __future__ import annotations

from typing import Any

import msgspec

from streamssl.data.drift import Drift
from streamssl.data.events import OutputRecord
from streamssl.data.spaces import SpaceOpening


class SpaceValue(msgspec.Struct, frozen=True):
    """The value of a message that announces a space.

    Attributes:
        space: What the vectors of this space carry.
        previous: The space before it, None for the instance's first.
        epoch: First epoch whose vectors lie in it.
        instance: Whose networks made it.
        reason: Why it began.
        slices: Named parts of the vector: `name`, and columns from `begin` up to and without `end`.
        maps: What carries a slice of vectors of the space before over to this one, new =
            old @ weight + bias: `name`, `weight` `[D, D]`, `bias` `[D]`.
        anchor_cosine: Median cosine of events in both spaces, after the maps; None where unknown.
        anchor_cosine_unmapped: The same without the maps.
        kind: What kind of announcement it is.
    """

    space: str
    previous: str | None
    epoch: int
    instance: int
    reason: str
    slices: list[dict[str, Any]]
    maps: list[dict[str, Any]]
    anchor_cosine: float | None
    anchor_cosine_unmapped: float | None
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


def encode_space(opening: SpaceOpening, *, epoch: int, instance: int) -> OutputRecord:
    """One record, under the name of the space: the topic is compacted."""
    value = SpaceValue(
        space=opening.space,
        previous=opening.previous,
        epoch=epoch,
        instance=instance,
        reason=opening.reason,
        slices=[part._asdict() for part in opening.slices],
        maps=[found._asdict() for found in opening.maps],
        anchor_cosine=opening.anchor_cosine,
        anchor_cosine_unmapped=opening.anchor_cosine_unmapped,
    )
    return OutputRecord("spaces", value.space.encode(), msgspec.json.encode(value))


def encode_drift(drift: Drift, instance: int) -> OutputRecord:
    """One record, under the name of what drifted, so that compaction leaves the newest of each."""
    key = f"{instance}/drift/{drift.what}"
    value = DriftValue(**drift._asdict(), instance=instance)
    return OutputRecord("spaces", key.encode(), msgspec.json.encode(value))
