"""What both ways of committing a transaction share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial

from kafka import ConsumerGroupMetadata

from streamssl.config.sections import OUTPUTS
from streamssl.data.events import OutputRecord
from streamssl.transport.base import Receipt, Transaction
from streamssl.transport.holding import returned, still_held
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.failures import FATAL_ERRORS, raise_fatal
from streamssl.transport.kafka.group_consumer import is_stable
from streamssl.transport.kafka.journal_reader import JournalReader
from streamssl.transport.kafka.output_writer import OutputWriter
from streamssl.transport.kafka.producer_record import ProducerRecord, check_sizes
from streamssl.transport.kafka.retry import FIRST_PAUSE_S, RetryPolicy
from streamssl.transport.kafka.subscription import Subscription
from streamssl.transport.kafka.topics import Admin


class Committer(ABC):
    """What both ways of committing share.

    Args:
        app: Prefix of the output topics.
        input_topic: Topic whose positions are committed.
        instance: The journal partition.
        member: Static name of this member of the group.
        limits: Largest record of each output topic.
        subscription: This member's part of the input.
        writer: Writes outputs and the journal.
        journal: Tells what landed.
        admin: Knows who is in the group.
        retry_policy: Records failures; may end the wait.

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
        member: str,
        limits: Mapping[str, int],
        subscription: Subscription,
        writer: OutputWriter,
        journal: JournalReader,
        admin: Admin,
        retry_policy: RetryPolicy,
    ) -> None:
        self._app = app
        self._input_topic = input_topic
        self._instance = instance
        self._limits = limits
        self._subscription = subscription
        self._writer = writer
        self._journal = journal
        self._admin = admin
        self._member = member
        self._retry_policy = retry_policy
        self.journal_position = journal.end()
        self.num_settled = 0

    @abstractmethod
    def commit(self, transaction: Transaction) -> Receipt:
        """Land the transaction, or what is still held of it."""

    def _membership(self, transaction: Transaction) -> ConsumerGroupMetadata:
        """The membership under which positions may be committed; waits until there is one.

        Where ranges were lost with an earlier one, it must be known too what has come back.
        What is held without a break needs no such wait: while a rebalance is under way, nobody
        is given what a member has not given up.
        """
        while True:
            group, lost = self._subscription.membership(), self._subscription.lost()
            if group is not None:
                waits = any((p, part.incarnation) in lost for p, part in transaction.parts.items())
                if not waits or is_stable(group):
                    return group
            self._retry_policy.wait(FIRST_PAUSE_S, self._keep_alive)

    def _still_held(self, transaction: Transaction) -> Transaction:
        """The transaction without the ranges that are not ours any more."""
        subscription, retry = self._subscription, self._retry_policy.retry
        return still_held(
            transaction,
            subscription.assignment(),
            subscription.lost(),
            lambda partition: retry(partial(subscription.committed, partition), self._keep_alive),
        )

    def _record_or_raise(self, error: BaseException) -> None:
        """Record a failure that waiting may mend, wherever in it the cause is.

        Raises:
            RecordTooLargeError: The broker refuses a record for its size.
            TransportUnavailableError: Waiting cannot mend it.
        """
        try:
            raise_fatal(error)
        except FATAL_ERRORS as cause:
            self._retry_policy.record_or_raise(cause)
        self._retry_policy.record_failure(error)

    def _output_records(self, transaction: Transaction) -> list[ProducerRecord]:
        names = {word: f"{self._app}.{word}" for word in OUTPUTS}
        records = [
            ProducerRecord(names[record.topic], partition, record)
            for partition, records in transaction.by_partition()
            for record in records
        ]
        check_sizes(records, self._limits)
        return records

    def _journal_record(self, record: JournalRecord) -> ProducerRecord:
        value = OutputRecord("journal", None, record.encode())
        return ProducerRecord(f"{self._app}.journal", self._instance, value)

    def _keep_alive(self) -> None:
        """What goes on while the broker is waited for."""
        self._retry_policy.check_limits()
        self._subscription.keep_alive()

    def _replaced_by_another(self, why: str) -> str:
        return (
            f"another process runs as instance {self._instance} of {self._app} ({why}); "
            "give every instance its own app.instance"
        )

    def _receipt_of_nothing(self) -> Receipt:
        return Receipt(frozenset(), self.journal_position)

    def _receipt(self, record: JournalRecord, position: int) -> Receipt:
        self.journal_position = position
        self._retry_policy.record_success()
        return Receipt(frozenset(record.ranges), position)

    def _resume_returned(self, transaction: Transaction, landed: Transaction) -> None:
        """Partitions that came back begin at the position they came back with: not again."""
        for partition, part in returned(transaction, landed).items():
            self._subscription.resume(partition, part.incarnation, part.range.stop)
