"""How a transaction lands: exactly once, or at least once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

from kafka import ConsumerGroupMetadata, KafkaProducer, errors

from streamssl.events import OutputRecord
from streamssl.transport.base import FencedError, Receipt, Transaction
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.journal_reader import JournalReader
from streamssl.transport.kafka.outbox import Addressed, Outbox, check_sizes, is_fenced
from streamssl.transport.kafka.patience import TROUBLE, Patience, bounded
from streamssl.transport.kafka.source import Source, offsets_of

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
# How long the answer to a transaction that the broker has aborted by itself is waited for.
ANSWER_S = 5.0
# How long after trouble a fence may still be of our own making.
OWN_FENCE_S = 60.0


class Committer:
    """What both ways of committing share.

    Args:
        app: Prefix of the output topics.
        input_topic: Topic whose positions are committed.
        instance: The journal partition.
        limits: Largest record of each output topic.
        source: The group's consumer.
        outbox: The producer.
        journal: Tells what landed.
        patience: Told about trouble; may end the wait.
        transaction_timeout_s: After this the broker aborts an abandoned transaction.

    Attributes:
        journal_position: Position after the newest own journal record that is known to stand.
        num_settled: Transactions whose outcome the journal had to tell.
    """

    def __init__(
        self,
        *,
        app: str,
        input_topic: str,
        instance: int,
        limits: Mapping[str, int],
        source: Source,
        outbox: Outbox,
        journal: JournalReader,
        patience: Patience,
        transaction_timeout_s: float,
    ) -> None:
        self._app = app
        self._input_topic = input_topic
        self._instance = instance
        self._limits = limits
        self._source = source
        self._outbox = outbox
        self._journal = journal
        self._patience = patience
        self._transaction_timeout_s = transaction_timeout_s
        self.journal_position = journal.end()
        self.num_settled = 0

    def commit(self, transaction: Transaction) -> Receipt:
        """Land the transaction, or what is still held of it."""
        raise NotImplementedError

    def _still_held(self, transaction: Transaction) -> Transaction:
        """The transaction without the ranges whose assignment has ended."""
        held = self._source.assignment()
        gone = {p for p, part in transaction.parts.items() if held.get(p) != part.incarnation}
        if not gone:
            return transaction
        log.info("partitions %s left this instance before their results landed", sorted(gone))
        record = transaction.journal
        named = {*transaction.parts, *record.tails, *(d[0] for d in record.dead_letters)}
        return transaction.only(frozenset(named - gone))

    def _addressed(self, transaction: Transaction) -> list[Addressed]:
        records = [
            Addressed(f"{self._app}.{record.topic}", partition, record)
            for partition, part in sorted(transaction.parts.items())
            for record in part.records
        ]
        for record in records:
            if record.topic == f"{self._app}.spaces":
                record.partition = 0  # compacted: one partition holds all spaces
        check_sizes(records, self._limits)
        return records

    def _record(self, record: JournalRecord) -> Addressed:
        value = OutputRecord("journal", None, record.encode())
        return Addressed(f"{self._app}.journal", self._instance, value)

    def _keep_turning(self) -> None:
        self._patience.check()
        self._source.pump()

    def _nothing(self) -> Receipt:
        return Receipt(frozenset(), self.journal_position)

    def _landed(self, record: JournalRecord, position: int) -> Receipt:
        self.journal_position = position
        self._patience.well()
        return Receipt(frozenset(record.ranges), position)


class ExactlyOnce(Committer):
    """Outputs, dead letters, journal record and positions in one transaction of the broker."""

    def commit(self, transaction: Transaction) -> Receipt:
        """Write what is still held, and return only when the outcome is known.

        1. Take the group metadata first,
        2. then the flags: drop the ranges whose incarnation has ended. In this order a partition
           that leaves in between makes the metadata stale, and the broker refuses.
        3. Send outputs, dead letters and the journal record; every one must be acknowledged.
        4. Send the positions under the metadata of step 1, and commit.
        5. On any doubt throw the producer away: its successor fences every earlier attempt.
        6. Only then read the own journal to its stable end: it holds the record, or the
           transaction did not land and everything begins again at 1 with the same bytes.

        Raises:
            FencedError: Another process has taken this instance's place.
            RecordTooLargeError: The broker would never take one of the records.
            StoppedError: The process shall end and the broker does not answer.
        """
        pause_s = FIRST_PAUSE_S
        num_fenced = 0
        while True:
            group = self._source.metadata()
            rest = self._still_held(transaction)
            if transaction.parts and not rest.parts:
                return self._nothing()
            if group.generation_id < 1 or not group.member_id:  # not (or no longer) a member
                self._patience.pause(FIRST_PAUSE_S, self._keep_turning)
                continue
            began = time.monotonic()
            try:
                position = self._attempt(rest, group)
            except TROUBLE as error:
                num_fenced = num_fenced + 1 if is_fenced(error) else 0
                own_doing = num_fenced == 1 and self._may_have_fenced_itself(began)
                if num_fenced and not own_doing or isinstance(error, errors.FencedInstanceIdError):
                    raise FencedError(self._replaced(type(error).__name__)) from error
                if num_fenced:  # look before fencing back: another may have written already
                    self._outcome(rest.journal, self._read_journal())
                landed_at = self._settle(rest.journal, error)
                if landed_at is not None:
                    return self._landed(rest.journal, landed_at)
            else:
                return self._landed(rest.journal, position)
            self._patience.pause(pause_s, self._keep_turning)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _attempt(self, transaction: Transaction, group: ConsumerGroupMetadata) -> int:
        positions = {p: part.range.stop for p, part in transaction.parts.items()}
        write = partial(
            self._outbox.write,
            self._addressed(transaction),
            self._record(transaction.journal),
            offsets_of(self._input_topic, positions),
            group,
        )
        limit_s = self._transaction_timeout_s + ANSWER_S
        return bounded(write, limit_s, self._keep_turning)

    def _may_have_fenced_itself(self, began: float) -> bool:
        """True where a fence may be of our own making, not another process in our place.

        It can be so only after trouble: the broker timed our transaction out, or the request of
        an earlier producer reached it late.
        """
        timed_out = time.monotonic() - began > 0.8 * self._transaction_timeout_s
        return timed_out or self._patience.troubled_within(OWN_FENCE_S)

    def _replaced(self, why: str) -> str:
        return (
            f"another process runs as instance {self._instance} of {self._app} ({why}); "
            "give every instance its own app.instance"
        )

    def _settle(self, record: JournalRecord, error: BaseException) -> int | None:
        """Learn from the journal where a doubtful transaction landed; None: it did not."""
        self._patience.note(error)
        self.num_settled += 1
        self._outbox.drop()
        self._outbox.use(self._patience.retry(self._rebuild, self._keep_turning))
        landed_at = self._outcome(record, self._read_journal())
        log.info(
            "settled transaction %d after %s: %s",
            record.seq,
            type(error).__name__,
            "it did not land" if landed_at is None else "it had landed",
        )
        return landed_at

    def _rebuild(self) -> KafkaProducer:
        # Never abandoned half-way: finishing late, it would fence its own successor. The
        # producer's own time-outs end it.
        return bounded(self._outbox.build, float("inf"), self._keep_turning)

    def _outcome(self, record: JournalRecord, found: list[tuple[int, JournalRecord]]) -> int | None:
        for position, other in found:
            if other.encode() != record.encode():
                raise FencedError(self._replaced(f"it wrote record {other.seq} of the journal"))
            return position
        return None


class AtLeastOnce(Committer):
    """Outputs and the journal record first, positions last: nothing lost, repeats possible.

    A crash between the two repeats at most what was taken since the last commit, that is one
    commit interval. Earlier processes of the instance are not fenced.
    """

    def commit(self, transaction: Transaction) -> Receipt:
        """Write what is still held until all of it is acknowledged.

        1. Drop the ranges whose incarnation has ended.
        2. Send the outputs; send again what was not acknowledged.
        3. When all of them stand, send the journal record in the same way.
        4. Commit the positions of the partitions that are still held.

        Raises:
            RecordTooLargeError: The broker would never take one of the records.
            StoppedError: The process shall end and the broker does not answer.
        """
        rest = self._still_held(transaction)
        if transaction.parts and not rest.parts:
            return self._nothing()
        self._send_all(self._addressed(rest))
        position = self._send_all([self._record(rest.journal)])
        self._patience.retry(partial(self._commit_positions, rest), self._keep_turning)
        return self._landed(rest.journal, position)

    def _send_all(self, records: list[Addressed]) -> int:
        position, pause_s = -1, FIRST_PAUSE_S
        while records:
            records, position = bounded(
                partial(self._outbox.send_once, records), float("inf"), self._keep_turning
            )
            if records:
                self._patience.note(errors.KafkaTimeoutError(f"{len(records)} not acknowledged"))
                self._outbox.drop()
                self._outbox.use(self._patience.retry(self._outbox.build, self._keep_turning))
                self._patience.pause(pause_s, self._keep_turning)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return position

    def _commit_positions(self, transaction: Transaction) -> None:
        held = self._still_held(transaction)
        positions = {p: part.range.stop for p, part in held.parts.items()}
        if positions:
            self._source.commit(positions)


COMMITTERS: Mapping[str, Callable[..., Committer]] = {
    "exactly_once": ExactlyOnce,
    "at_least_once": AtLeastOnce,
}
