"""From the journal and the input back to the state: one function for both who need it.

`Reproduction.apply` repeats one transaction exactly as it happened. Recovery applies what came
after the newest checkpoint; `streamssl replay --journal` applies everything, and publishes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from streamssl.data.events import Schema, Slice, StreamsslError
from streamssl.engine.input_topic import other_topic
from streamssl.engine.journal_checks import Records, broken_journal, replaced_state
from streamssl.engine.outputs import encode
from streamssl.engine.pending import PendingTransaction, decode
from streamssl.engine.ports import Codec
from streamssl.engine.positions import Positions
from streamssl.engine.slices import range_of
from streamssl.engine.spaces import announcements
from streamssl.host import Host
from streamssl.telemetry.log_events import tell
from streamssl.transport.base import InputExpiredError, Transaction
from streamssl.transport.journal import MIGRATED, POISON, JournalRecord

log = logging.getLogger(__name__)


class JournalBrokenError(StreamsslError):
    """The journal does not continue the state: records are missing.

    Attributes:
        cause: What that means: `journal_broken`, or `state_old` where the state is an old one.
    """

    def __init__(self, text: str, cause: str = "journal_broken") -> None:
        """Say what is missing."""
        super().__init__(text)
        self.cause = cause


class InputDiffersError(StreamsslError):
    """The input topic no longer holds what the journal says was read from it."""


class InputReader(Protocol):
    """Gives any range of the input again."""

    def reread(self, partition: int, start: int, stop: int) -> Slice:
        """The messages of `[start, stop)`."""


@dataclass
class Reproduction:
    """Repeats journalled transactions on a learner.

    Attributes:
        positions: Where the state stands; moves with every record applied.
        state_crc32c: CRC of the state that scores the open epoch.
        differing: Epochs whose recomputed state is not the one that published, each with
            whether the same build and configuration had computed it.
        num_events: Events applied.
        num_records: Records applied.
        other_state_at: The first record, where another state than the one given had scored it
            before anything was recomputed; None where that is not so.
    """

    host: Host
    codec: Codec
    source: InputReader
    positions: Positions
    environment: str
    differing: dict[int, bool] = field(default_factory=dict)
    num_events: int = 0
    num_records: int = 0
    other_state_at: JournalRecord | None = None

    def __post_init__(self) -> None:
        """Take over the learner's columns, and fingerprint the state that was given."""
        self.positions.decide(self.host.schema)
        self.state_crc32c = self.host.state_crc32c()
        migrated = any(change.startswith(MIGRATED) for change in self.positions.changes)
        self._given_epoch = self.host.epoch if self.positions.seq and not migrated else None

    def apply(
        self, record: JournalRecord, position: int, *, publishing: bool = False
    ) -> Transaction | None:
        """Repeat one transaction; a record that is part of the state already does nothing.

        1. Read its input again and compare it.
        2. Close the epochs that closed before it, and compare the state that scored it.
        3. Give up and rebuild what it gave up and rebuilt.
        4. Score its events and advance their context.

        Args:
            record: The journal record.
            position: The journal position after it.
            publishing: Whether to encode what was published.

        Returns:
            What was published; None unless `publishing`, and where nothing was done.

        Raises:
            InputExpiredError: Its input is no longer kept.
            InputDiffersError: Its input is not what was read.
            JournalBrokenError: Records before it are missing.
        """
        if record.seq <= self.positions.seq:
            return None
        self._check_order(record)
        pieces = [self._read(record, partition) for partition in sorted(record.ranges)]
        tails = {p: self.source.reread(p, *ends) for p, ends in sorted(record.tails.items())}
        self._check_columns(record)
        self._close_epochs(record)
        self.positions.schema = record.schema or self.positions.schema
        self._drop(record, self.host.epoch)
        for partition, tail in tails.items():
            rebuild(self.host, self.codec, partition, tail, self.positions.schema)
        pending = self._decoded(record, pieces)
        pending.submit(self.host)
        results = pending.results()
        self.num_events += pending.num_events
        self.num_records += 1
        previous = self.positions.space
        self.positions.landed(record, position)
        if not publishing:
            return None
        outputs = encode(pending, results, self.codec)
        return Transaction(record, outputs, announcements(record, previous))

    def _check_order(self, record: JournalRecord) -> None:
        seq = self.positions.seq
        if record.seq <= seq + 1:
            return
        if seq and not self.num_records:
            raise JournalBrokenError(
                f"the state folder ends at journal record {seq}, and the journal goes on with "
                f"record {record.seq}: is the folder an old copy?",
                "state_old",
            )
        raise JournalBrokenError(f"journal records {seq + 1} to {record.seq - 1} are missing")

    def _check_columns(self, record: JournalRecord) -> None:
        before = self.positions.schema
        if before and record.schema and record.schema != before:
            raise JournalBrokenError(f"record {record.seq} goes on from a state of other channels")

    def _read(self, record: JournalRecord, partition: int) -> Slice:
        expected = record.range_of(partition)
        piece = self.source.reread(partition, expected.start, expected.stop)
        found = range_of([piece])
        if (found.num_messages, found.crc32c) != (expected.num_messages, expected.crc32c):
            raise InputDiffersError(
                f"partition {partition}, offsets [{expected.start}, {expected.stop}): the input "
                f"has changed since it was read (journal record {record.seq}: "
                f"{expected.num_messages} messages, now {found.num_messages}); was the topic "
                f"deleted or compacted?"
            )
        return piece

    def _close_epochs(self, record: JournalRecord) -> None:
        decisions = record.decisions()
        for epoch in range(self.host.epoch, record.epoch):
            if epoch not in decisions:
                raise JournalBrokenError(f"the journal does not say how epoch {epoch} closed")
            self._drop(record, epoch)
            self.state_crc32c = self.host.close_epoch(decisions[epoch]).result().state_crc32c
        if record.state_crc32c != self.state_crc32c:
            self.differing.setdefault(record.epoch, record.environment == self.environment)
            if not self.num_records and self._given_epoch == record.epoch:
                self.other_state_at = record

    def _drop(self, record: JournalRecord, epoch: int) -> None:
        for dropped_in, partition in record.dropped:
            if dropped_in == epoch:
                self.host.rebuild(partition, None)
                self.positions.stops.pop(partition, None)

    def _decoded(self, record: JournalRecord, pieces: list[Slice]) -> PendingTransaction:
        poison = {(p, offset) for p, offset, index in record.dead_letters if index == POISON}
        pending = PendingTransaction()
        for piece in pieces:
            offsets = frozenset(offset for p, offset in poison if p == piece.partition)
            pending.add(piece, decode(self.codec.decoder, piece, self.positions.schema, offsets))
        return pending


def rebuild(host: Host, codec: Codec, partition: int, tail: Slice, schema: Schema | None) -> None:
    """Drop a partition's per-key state and advance it over `tail`: no scores, no learning."""
    batch = codec.decoder.decode(tail, schema).batch if tail.start < tail.stop else None
    host.rebuild(partition, batch if batch is not None and len(batch) else None)


def give_up(host: Host, partition: int, from_offset: int) -> None:
    """Forget a partition's uncommitted rows and all its per-key state.

    What remains is as if the rows had never been seen, which is what a reproduction sees.
    """
    host.discard(partition, from_offset)
    host.rebuild(partition, None)


def recover(
    reproduction: Reproduction,
    records: list[tuple[int, JournalRecord]],
    oldest: int,
    *,
    topic: str,
    stopping: Callable[[int], bool] = lambda _: False,
) -> bool:
    """Bring the state to the end of the journal, or to a declared gap.

    Args:
        reproduction: The state to start from, at an epoch boundary.
        records: The journal from the record before its position on (if that is kept), each
            with the position after it.
        oldest: Oldest journal position kept.
        topic: The input's; what another one's records say is not repeated.
        stopping: Asked before each record, with the events reproduced so far, whether to stop
            half-way.

    Returns:
        Whether a gap had to be declared: the state is what it was, but for the epochs named
        in `positions.changes`, and nothing is held of any partition.
    """
    positions, first = reproduction.positions, reproduction.host.epoch
    other = other_topic(topic, positions, (record for _, record in records))
    if other:
        _leave_behind(reproduction, records, other)
        return True
    broken = broken_journal(positions, records, oldest)
    if broken:
        positions.journal = oldest
        _declare_gap(reproduction, records, first, *broken)
        return True
    replaced = replaced_state(positions, records)
    try:
        for position, record in records:
            if stopping(reproduction.num_events):
                return False
            reproduction.apply(record, position)
    except (InputExpiredError, InputDiffersError, JournalBrokenError) as error:
        cause, why = replaced or (_cause(error), str(error))
        _declare_gap(reproduction, records, reproduction.host.epoch, cause, why)
        return True
    if reproduction.differing:
        _declare_rebased(reproduction)
    return False


def _cause(error: StreamsslError) -> str:
    if isinstance(error, JournalBrokenError):
        return error.cause
    return "input_expired" if isinstance(error, InputExpiredError) else "input_differs"


def _declare_gap(
    reproduction: Reproduction, records: Records, first: int, cause: str, why: str
) -> None:
    positions, host = reproduction.positions, reproduction.host
    for partition in {*positions.stops, *(p for _, record in records for p in record.ranges)}:
        give_up(host, partition, 0)
    positions.stops.clear()
    for position, record in records:
        positions.landed(record, position)
    positions.stops.clear()
    host.skip_to(max([host.epoch, *(record.epoch + 1 for _, record in records)]))
    reproduction.state_crc32c = host.state_crc32c()
    positions.changes.append(f"gap: epochs {first}..{max(first, host.epoch - 1)} not learned")
    tell(log, "gap", cause=cause, why=why, change=positions.changes[-1])


def _leave_behind(reproduction: Reproduction, records: Records, other: str) -> None:
    """Go on after the records of another topic with nothing of what they say."""
    positions, first = reproduction.positions, reproduction.host.epoch
    columns = positions.schema
    why = f"the journal is of the topic {other}, which is not input.topic any more"
    _declare_gap(reproduction, records, first, "other_topic", why)
    positions.schema, positions.schema_is_journalled = columns, False


def _declare_rebased(reproduction: Reproduction) -> None:
    change = f"rebased: epochs {min(reproduction.differing)}..{max(reproduction.differing)}"
    reproduction.positions.changes.append(change)
    other = reproduction.other_state_at
    if other is not None:
        tell(log, "state_other", seq=other.seq, epoch=other.epoch, change=change)
    elif any(reproduction.differing.values()):
        tell(log, "not_deterministic", change=change)
    else:
        tell(log, "rebased", change=change)
