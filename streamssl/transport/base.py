"""What the engine asks of a transport: slices of input, one atomic write, its own journal.

The promise, in the order of an instance's life:

1. `open` fences every earlier process of this instance, so that its journal is final.
2. `journal` gives the instance's own records; `reread` gives any input range again, so that
   recovery is a replay. Neither takes part in the group.
3. `join` enters the group; `poll` gives slices of the partitions held, in equal shares.
4. `commit` writes outputs, dead letters, the journal record and the input positions of one
   transaction: all or nothing, and it returns only when the outcome is known.
5. `close` leaves; positions stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Protocol

from streamssl.data.events import OutputRecord, Range, Slice, StreamsslError
from streamssl.data.results import Results
from streamssl.transport.journal import JournalRecord


class TransportUnavailableError(StreamsslError):
    """The broker cannot be reached, or a topic is missing or forbidden (at start: exit 3)."""

    exit_code = 3


class InputExpiredError(StreamsslError):
    """An input range that was asked for is no longer kept.

    Attributes:
        available_from: First offset that still exists (== stop where nothing does).
    """

    def __init__(self, partition: int, start: int, stop: int, available_from: int) -> None:
        """Name the range that was wanted and what is left of it."""
        super().__init__(
            f"partition {partition}: input [{start}, {stop}) has expired, the oldest kept offset "
            f"is {available_from}; raise the topic's retention or checkpoint more often"
        )
        self.available_from = available_from


class FencedError(StreamsslError):
    """Another process runs under this instance's transactional id: this one must end."""


@dataclass(frozen=True, slots=True)
class PartitionOutput:
    """All that one transaction holds of one input partition.

    Attributes:
        records: Encoded outputs, written to the same partition number of the output topics.
        results: The same as columns, for transports that write files.
    """

    range: Range
    incarnation: int
    records: list[OutputRecord] = field(default_factory=list)
    results: tuple[Results, ...] = ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """Outputs and positions that must land together, with the record that says so.

    Attributes:
        journal: The record.
        parts: What the transaction holds of each input partition.
        records: Outputs that belong to no input partition: they land with whatever lands.
    """

    journal: JournalRecord
    parts: Mapping[int, PartitionOutput]
    records: Sequence[OutputRecord] = ()

    def without(self, gone: Set[int]) -> Transaction:
        """The same transaction without the partitions that are no longer held."""
        parts = {p: part for p, part in self.parts.items() if p not in gone}
        return replace(self, journal=self.journal.without(gone), parts=parts)

    def by_partition(self) -> Iterator[tuple[int, Sequence[OutputRecord]]]:
        """All outputs, with the partition of their topics: their input's, 0 for those of none."""
        for partition, part in sorted(self.parts.items()):
            yield partition, part.records
        if self.records:
            yield 0, self.records


@dataclass(frozen=True, slots=True)
class Receipt:
    """The known outcome of a commit.

    Attributes:
        kept: Partitions whose part landed; the others had left this instance, and whoever
            holds them now processes those messages.
        journal_position: Position after this transaction's journal record (unchanged from the
            last receipt's if nothing was kept).
    """

    kept: frozenset[int]
    journal_position: int


class Transport(Protocol):
    """A stream of input slices, and an atomic way to write what was made of them."""

    topic: str

    def open(self) -> None:
        """Connect, check or create topics, and fence earlier processes of this instance.

        Raises:
            TransportUnavailableError: Not reachable, or a topic is missing or forbidden.
        """

    def journal(self, position: int) -> tuple[list[tuple[int, JournalRecord]], int]:
        """This instance's records from journal `position` on, all of them stable.

        Returns:
            The records, each with the position after it, and the oldest position kept.
        """

    def reread(self, partition: int, start: int, stop: int) -> Slice:
        """The messages of `[start, stop)` again (incarnation 0), outside the group.

        Raises:
            InputExpiredError: Part of the range is no longer kept.
        """

    def beginning(self, partition: int) -> int:
        """Oldest offset of the input that is still kept."""

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None if it never committed."""

    def join(self) -> None:
        """Enter the group; `poll` gives slices from now on."""

    def poll(self, max_messages: int, timeout_s: float) -> list[Slice]:
        """At most `max_messages` messages of the partitions held, in equal shares.

        Waits up to `timeout_s` for the first one; an empty list means that none came.
        """

    def assignment(self) -> Mapping[int, int]:
        """Partitions held now, each with its incarnation."""

    def commit(self, transaction: Transaction) -> Receipt:
        """Write all of it, or of the partitions still held all of it; the outcome is known then.

        Raises:
            FencedError: Another process has taken this instance's place.
        """

    def lag(self) -> Mapping[int, int]:
        """Messages not yet taken, per partition held."""

    def exhausted(self) -> bool:
        """True where the input has an end and it was reached (files)."""

    def release_journal(self, position: int) -> None:
        """Journal records before `position` may be deleted (a checkpoint covers them)."""

    def close(self) -> None:
        """Leave the group at once (a planned stop) and free everything."""
