"""The journal record: inputs and decisions, from which every outcome follows.

One record goes into every transaction. What was gated or learned follows from the inputs, the
decisions and the code, so a replay of the journal gives the same scores and the same state.
"""

from __future__ import annotations

from collections.abc import Set

import msgspec

from streamssl.data.drift import Drift
from streamssl.data.events import Range, Schema
from streamssl.data.results import Decisions
from streamssl.data.spaces import SpaceOpening

POISON = -2
# How a change begins that says that another state goes on: one of other channels.
MIGRATED = "migrated"


class JournalRecord(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One transaction of one instance.

    Attributes:
        instance: Ordinal of the instance.
        seq: Number of the transaction, from 1, without holes.
        epoch: Epoch that the ranges belong to; a transaction never spans epochs.
        ranges: Input taken: partition -> (start, stop, num_messages, crc32c).
        tails: Partitions whose per-key state was dropped before this transaction and rebuilt
            from input `[start, stop)` without publishing or learning (start == stop: dropped).
        dropped: (epoch, partition) of per-key state that was given up since the last record
            because its messages could not be committed; the epoch is the one then open.
        dead_letters: (partition, offset, index) of inputs that could not be read; index -1 is
            the whole message, `POISON` one that killed the process and must not be decoded.
        closed: Decisions of the epochs that closed since the last record: epoch -> decisions
            as (reason, learn_rate, backlog).
        fields: Names of the stream's numbers; only in a record that decides its columns.
        texts: Names of its text columns, in the same record.
        space: Name of the embedding space that this transaction announces, None where it
            announces none.
        opening: Why that space began, and what carries vectors over to it; None where that is
            not known, and in records of before it was noted.
        drifts: What drifted as the epoch before ended, which this transaction announces.
        state_crc32c: CRC of the state that scored this transaction.
        environment: Hash of configuration, build and thread count.
        topic: Input topic that the ranges are of; None in records of before it was noted.
        changes: What else changed since the last record, in words a person reads too:
            `gap: epochs a..b not learned`, `missed: p [a, b)`, `rebased: epochs a..b`,
            `migrated: channels -> channels`.
    """

    instance: int
    seq: int
    epoch: int
    ranges: dict[int, tuple[int, int, int, int]] = {}
    tails: dict[int, tuple[int, int]] = {}
    dropped: list[tuple[int, int]] = []
    dead_letters: list[tuple[int, int, int]] = []
    closed: dict[int, Decisions] = {}
    fields: list[str] | None = None
    texts: list[str] = []
    space: str | None = None
    opening: SpaceOpening | None = None
    drifts: list[Drift] = []
    state_crc32c: int = 0
    environment: str = ""
    topic: str | None = None
    changes: list[str] = []

    def without(self, gone: Set[int]) -> JournalRecord:
        """The record without the partitions that are no longer held.

        The tail of a partition of which nothing was taken stays: its state was rebuilt.
        """
        missed = tuple(missed_change(partition) for partition in gone)
        ranges = {p: r for p, r in self.ranges.items() if p not in gone}
        return msgspec.structs.replace(
            self,
            ranges=ranges,
            tails={p: t for p, t in self.tails.items() if p not in gone},
            dead_letters=[d for d in self.dead_letters if d[0] not in gone],
            space=self.space if ranges else None,
            opening=self.opening if ranges else None,
            drifts=self.drifts if ranges else [],
            changes=[change for change in self.changes if not change.startswith(missed)],
        )

    @property
    def schema(self) -> Schema | None:
        """The stream's columns, where this record decides them."""
        return None if self.fields is None else Schema(tuple(self.fields), tuple(self.texts))

    def range_of(self, partition: int) -> Range:
        """The range taken from `partition`."""
        return Range(partition, *self.ranges[partition])

    def decisions(self) -> dict[int, Decisions]:
        """Decisions of the epochs that this record says are closed, in order."""
        return dict(sorted(self.closed.items()))

    def encode(self) -> bytes:
        """The record as compact JSON."""
        return msgspec.json.encode(self)


def missed_change(partition: int) -> str:
    """How a change begins that says which input of a partition expired unread."""
    return f"missed: {partition} "


def decode_record(value: bytes) -> JournalRecord:
    """Read one record of the journal back.

    Raises:
        msgspec.ValidationError: Not a journal record of this version.
    """
    return msgspec.json.decode(value, type=JournalRecord)
