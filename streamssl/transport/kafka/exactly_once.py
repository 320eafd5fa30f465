"""Exactly once: one transaction of the broker; where its outcome is unknown, the journal tells."""

from __future__ import annotations

import logging
import time
from functools import partial

from kafka import ConsumerGroupMetadata, errors

from streamssl.telemetry.log_events import tell
from streamssl.transport.base import FencedError, Receipt, Transaction
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.commit import Committer
from streamssl.transport.kafka.failures import CLIENT_ERRORS, is_fenced
from streamssl.transport.kafka.group_consumer import is_stable
from streamssl.transport.kafka.journal_reader import PositionedRecord
from streamssl.transport.kafka.output_writer import NEARLY_ALL
from streamssl.transport.kafka.producer import Producer
from streamssl.transport.kafka.retry import backoff_s
from streamssl.transport.kafka.timeout import run_with_timeout

log = logging.getLogger(__name__)

# The positions came under a membership that has ended: a rebalance, and no failure.
REBALANCED = (errors.CommitFailedError, errors.FencedInstanceIdError)
# How long the answer to a transaction that the broker has aborted by itself is waited for: as long
# as a request may take by default (`kafka.request_timeout_ms`).
ANSWER_S = 5.0
# How long after a failure a fence may still be of our own making: as long as the slowest
# transaction may take (`output_writer.SLOW_TRANSACTION_MS`).
OWN_FENCE_S = 60.0


class ExactlyOnce(Committer):
    """Outputs, dead letters, journal record and positions in one transaction of the broker."""

    def commit(self, transaction: Transaction) -> Receipt:
        """Write what is still held, and return only when the outcome is known.

        1. Take the group metadata first, waiting for it while this instance is no member,
        2. then the flags: drop the ranges that are not ours any more. In this order a partition
           that leaves in between makes the metadata stale, and the broker refuses.
        3. Send outputs, dead letters and the journal record; every one must be acknowledged.
        4. Send the positions under the metadata of step 1, and commit.
        5. After any failure replace the producer, unless another process has our place in the
           group: its successor fences every earlier attempt.
        6. Only then read the own journal to its stable end: it holds the record, or the
           transaction did not land and everything begins again at 1 with the same bytes.

        Raises:
            FencedError: Another process has taken this instance's place.
            RecordTooLargeError: The broker would never take one of the records.
            StoppedError: The process shall end and the broker does not answer.
            TransportUnavailableError: Waiting cannot mend it.
        """
        pauses_s = backoff_s()
        num_fenced = 0
        while True:
            group = self._membership(transaction)
            rest = self._still_held(transaction)
            if transaction.parts and not rest.parts:
                return self._receipt_of_nothing()
            began = time.monotonic()
            try:
                position = self._attempt(rest, group)
            except CLIENT_ERRORS as error:
                num_fenced = num_fenced + 1 if is_fenced(error) else 0
                if self._is_replaced(error, group, num_fenced, began):
                    raise FencedError(self._replaced_by_another(type(error).__name__)) from error
                if num_fenced:  # look before fencing back: another may have written already
                    self._find_landed(rest.journal, self._read_journal())
                landed_at = self._settle(rest.journal, error)
            else:
                landed_at = position
            if landed_at is not None:
                self._resume_returned(transaction, rest)
                return self._receipt(rest.journal, landed_at)
            self._retry_policy.wait(next(pauses_s), self._keep_alive)

    def _attempt(self, transaction: Transaction, group: ConsumerGroupMetadata) -> int:
        positions = {p: part.range.stop for p, part in transaction.parts.items()}
        write = partial(
            self._writer.write_transaction,
            self._output_records(transaction),
            self._journal_record(transaction.journal),
            self._input_topic,
            positions,
            group,
        )
        timeout_s = self._writer.transaction_timeout_s + ANSWER_S
        return run_with_timeout(write, timeout_s, self._keep_alive)

    def _is_replaced(
        self, error: BaseException, group: ConsumerGroupMetadata, num_fenced: int, began: float
    ) -> bool:
        """Whether another process has our place: in the group, or as the producer of our name."""
        if isinstance(error, errors.FencedInstanceIdError):
            return not self._joined_anew_since(group)
        own_doing = num_fenced == 1 and self._may_have_fenced_itself(began)
        return num_fenced > 0 and not own_doing

    def _may_have_fenced_itself(self, began: float) -> bool:
        """True where a fence may be of our own making, not another process in our place.

        It can be so only after a failure: the broker timed our transaction out, or the request of
        an earlier producer reached it late.
        """
        timed_out = time.monotonic() - began > NEARLY_ALL * self._writer.transaction_timeout_s
        return timed_out or self._retry_policy.failed_within(OWN_FENCE_S)

    def _joined_anew_since(self, group: ConsumerGroupMetadata) -> bool:
        """True where our own new membership replaced that one, not another process.

        A client that was expelled forgets its id and joins again; one that another process has
        replaced keeps it until it is told.
        """
        now = self._subscription.membership()
        return now is None or now.member_id != group.member_id

    def _settle(self, record: JournalRecord, error: BaseException) -> int | None:
        """Learn from the journal where a failed transaction landed; None: it did not."""
        if not isinstance(error, REBALANCED):
            self._record_or_raise(error)
        self._check_not_replaced()
        self.num_settled += 1
        self._writer.replace_producer(
            lambda: self._retry_policy.retry(self._new_producer, self._keep_alive)
        )
        landed_at = self._find_landed(record, self._read_journal())
        outcome = "it did not land" if landed_at is None else "it had landed"
        told = type(error).__name__
        tell(log, "transaction_settled", seq=record.seq, error=told, outcome=outcome)
        return landed_at

    def _check_not_replaced(self) -> None:
        """Look before fencing: who joined the group under our name is our successor.

        A process that was frozen, or cut off, for long would otherwise fence the one that took
        its place meanwhile, and both would end.
        """
        if self._subscription.membership() is None:
            return
        ask = partial(self._admin.member_id, self._app, self._member)
        found = self._retry_policy.retry(ask, self._keep_alive)
        group = self._subscription.membership()  # again: had we joined anew, it is not stable
        if group and is_stable(group) and found not in (None, group.member_id):
            raise FencedError(self._replaced_by_another("it joined the group"))

    def _new_producer(self) -> Producer:
        # Never abandoned half-way: finishing late, it would fence its own successor. The
        # producer's own time-outs end it.
        return run_with_timeout(self._writer.new_producer, float("inf"), self._keep_alive)

    def _read_journal(self) -> list[PositionedRecord]:
        return self._journal.read(self.journal_position, self._keep_alive)[0]

    def _find_landed(self, record: JournalRecord, found: list[PositionedRecord]) -> int | None:
        """The position after the record, None where it is not in the journal.

        Raises:
            FencedError: Another record stands in its place.
        """
        for position, other in found:
            if other.encode() != record.encode():
                raise FencedError(
                    self._replaced_by_another(f"it wrote record {other.seq} of the journal")
                )
            return position
        return None
