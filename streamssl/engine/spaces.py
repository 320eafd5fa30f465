"""A change of the embedding space is announced by the transaction whose vectors show it first."""

from __future__ import annotations

from collections.abc import Mapping

from streamssl.codecs.spaces import SpaceValue, encode_space
from streamssl.data.events import OutputRecord
from streamssl.data.results import NO_SPACE, PROVISIONAL
from streamssl.transport.base import PartitionOutput
from streamssl.transport.journal import JournalRecord


def new_space(outputs: Mapping[int, PartitionOutput], announced: str | None) -> str | None:
    """The space of the results, None where it is announced already or they have none.

    Weights are frozen within an epoch, so that all results of a transaction share one space.
    """
    first = next((part.results[0] for part in outputs.values() if part.results), None)
    if first is None or first.space == announced or first.space.endswith(f"/{NO_SPACE}"):
        return None
    return first.space


def announcements(record: JournalRecord, previous: str | None) -> list[OutputRecord]:
    """What a transaction says of a space that begins with it; nothing where none does.

    Args:
        record: Its journal record.
        previous: The space announced before.
    """
    if record.space is None:
        return []
    value = SpaceValue(
        space=record.space,
        previous=previous,
        epoch=record.epoch,
        instance=record.instance,
        reason=_reason(record.space, previous),
    )
    return [encode_space(value)]


def _reason(space: str, previous: str | None) -> str:
    if previous is None:
        return "start"
    begins_anew = space.endswith(f"/{PROVISIONAL}")
    return "channels were changed" if begins_anew else "first training burst over"
