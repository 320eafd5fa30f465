"""What of a transaction this instance may still land: the same rule for every group."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Set
from dataclasses import replace

from streamssl.telemetry.log_events import tell
from streamssl.transport.base import PartitionOutput, Transaction

log = logging.getLogger(__name__)


def still_held(
    transaction: Transaction,
    held: Mapping[int, int],
    lost: Set[tuple[int, int]],
    committed: Callable[[int], int | None],
) -> Transaction:
    """The transaction without the ranges that are not this instance's any more.

    A range stays while its incarnation goes on. One that ended because the membership was lost
    (an outage, not a rebalance that gave the partition to another) stays under the incarnation
    in which the partition came back, where nobody has gone further meanwhile: else every outage
    would cost the partition's keys their state.

    Args:
        transaction: What was taken.
        held: Partitions held now, each with its incarnation.
        lost: (partition, incarnation) that ended with the membership.
        committed: The group's stable position of a partition.
    """

    def is_ours(partition: int, part: PartitionOutput) -> bool:
        if held.get(partition) in (part.incarnation, None):
            return partition in held
        untouched = (None, part.range.start)
        return (partition, part.incarnation) in lost and committed(partition) in untouched

    gone = {p for p, part in transaction.parts.items() if not is_ours(p, part)}
    if gone:
        tell(log, "partitions_left", partitions=sorted(gone))
    parts = {p: replace(part, incarnation=held.get(p, 0)) for p, part in transaction.parts.items()}
    return replace(transaction, parts=parts).without(gone)


def returned(transaction: Transaction, rest: Transaction) -> dict[int, PartitionOutput]:
    """The parts of `rest` whose partitions came back under another incarnation."""
    return {
        p: part
        for p, part in rest.parts.items()
        if part.incarnation != transaction.parts[p].incarnation
    }
