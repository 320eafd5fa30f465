"""What a transaction announces besides its results: a space that begins, a stream that drifts.

A change of the embedding space is announced by the transaction whose vectors show it first; a
drift by the first one after the epoch whose end showed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamssl.codecs.spaces import encode_drift, encode_space
from streamssl.data.drift import Drift
from streamssl.data.events import OutputRecord
from streamssl.data.results import NO_SPACE, PROVISIONAL, Results
from streamssl.data.spaces import SpaceOpening
from streamssl.transport.base import PartitionOutput
from streamssl.transport.journal import JournalRecord


def new_space(outputs: Mapping[int, PartitionOutput], announced: str | None) -> str | None:
    """The space of the results, None where it is announced already or they have none.

    Weights are frozen within an epoch, so that all results of a transaction share one space.
    """
    first = _first(outputs)
    if first is None or first.space == announced or first.space.endswith(f"/{NO_SPACE}"):
        return None
    return first.space


def opening_of(outputs: Mapping[int, PartitionOutput], space: str | None) -> SpaceOpening | None:
    """What the results say of how a space began, None where they say nothing of it."""
    first = _first(outputs)
    opening = None if first is None else first.opening
    return opening if opening is not None and opening.space == space else None


def new_drifts(outputs: Mapping[int, PartitionOutput], announced: int) -> list[Drift]:
    """What the results say drifted, but for what is announced already.

    All results of an epoch say the same: what drifted as the one before ended.

    Args:
        outputs: What is published.
        announced: Epoch of the drift announced last.
    """
    first = _first(outputs)
    return [] if first is None else [drift for drift in first.drifts if drift.epoch > announced]


def announcements(record: JournalRecord, previous: str | None) -> list[OutputRecord]:
    """What a transaction says of a space that begins with it, and of drifts.

    Args:
        record: Its journal record.
        previous: The space announced before.
    """
    drifts = [encode_drift(drift, record.instance) for drift in record.drifts]
    begun = begun_space(record, previous)
    if begun is None:
        return drifts
    return [encode_space(begun, epoch=record.epoch, instance=record.instance), *drifts]


def begun_space(record: JournalRecord, previous: str | None) -> SpaceOpening | None:
    """The space that begins with a transaction, None where none does.

    Maps lead from the space that the opening names, which need not be the one announced before:
    that may be of an epoch of which nothing landed, or of the state that a stream began from.

    Args:
        record: The transaction's.
        previous: The space announced before.
    """
    if record.space is None:
        return None
    if record.opening is not None:
        return record.opening._replace(previous=record.opening.previous or previous)
    return SpaceOpening(record.space, previous, _reason(record.space, previous), slices=())


def told_space(opening: SpaceOpening) -> dict[str, Any]:
    """What the log and the summary say of a space: all but the maps, which are large."""
    told = opening._asdict() | {"slices": {p.name: [p.begin, p.end] for p in opening.slices}}
    del told["maps"]
    return told


def _first(outputs: Mapping[int, PartitionOutput]) -> Results | None:
    """The first results of a transaction, None where it has none."""
    return next((part.results[0] for part in outputs.values() if part.results), None)


def _reason(space: str, previous: str | None) -> str:
    if previous is None:
        return "start"
    return "channels were changed" if space.endswith(f"/{PROVISIONAL}") else "warm-up"
