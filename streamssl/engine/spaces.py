"""A change of the embedding space is announced by the transaction whose vectors show it first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streamssl.codecs.spaces import SpaceValue, encode_space
from streamssl.data.results import NO_SPACE, PROVISIONAL
from streamssl.transport.base import PartitionOutput
from streamssl.transport.journal import JournalRecord


def new_space(
    outputs: Mapping[int, PartitionOutput], announced: str | None
) -> tuple[int, str] | None:
    """The partition that will carry the announcement and the space's name, None if none is due.

    Weights are frozen within an epoch, so that all results of a transaction share one space.
    """
    results = ((p, part.results[0]) for p, part in sorted(outputs.items()) if part.results)
    partition, first = next(results, (0, None))
    if first is None or first.space == announced or first.space.endswith(f"/{NO_SPACE}"):
        return None
    return partition, first.space


def announce(
    outputs: Mapping[int, PartitionOutput], record: JournalRecord, previous: str | None
) -> dict[int, PartitionOutput]:
    """The outputs with the announcement that the journal record speaks of, if it does.

    Args:
        outputs: Of one transaction.
        record: Its journal record.
        previous: The space announced before.
    """
    if record.space is None:
        return dict(outputs)
    partition, space = record.space
    trained = previous is not None and previous.endswith(f"/{PROVISIONAL}")
    value = SpaceValue(
        space=space,
        previous=previous,
        epoch=record.epoch,
        instance=record.instance,
        map=None,
        reason="first training burst over" if trained else "start",
    )
    part = outputs[partition]
    return {**outputs, partition: replace(part, records=[*part.records, encode_space(value)])}
