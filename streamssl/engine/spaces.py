"""What a transaction announces besides its results: a space that begins, a stream that drifts.

A change of the embedding space is announced by the transaction whose vectors show it first; a
drift by the first one after the epoch whose end showed it.
"""

from __future__ import annotations

from collections.abc import Mapping

from streamssl.codecs.spaces import SpaceValue, encode_drift, encode_space
from streamssl.data.drift import Drift
from streamssl.data.events import OutputRecord
from streamssl.data.results import NO_SPACE, PROVISIONAL, Results
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
    if record.space is None:
        return drifts
    value = SpaceValue(
        space=record.space,
        previous=previous,
        epoch=record.epoch,
        instance=record.instance,
        reason=_reason(record.space, previous),
    )
    return [encode_space(value), *drifts]


def _first(outputs: Mapping[int, PartitionOutput]) -> Results | None:
    """The first results of a transaction, None where it has none."""
    return next((part.results[0] for part in outputs.values() if part.results), None)


def _reason(space: str, previous: str | None) -> str:
    if previous is None:
        return "start"
    begins_anew = space.endswith(f"/{PROVISIONAL}")
    return "channels were changed" if begins_anew else "first training burst over"
