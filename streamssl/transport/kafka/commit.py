"""What both ways of committing a transaction share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial

from streamssl.config.sections import OUTPUTS
from streamssl.data.events import OutputRecord
from streamssl.transport.base import Receipt, Transaction
from streamssl.transport.holding import returned, still_held
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.clients.base import Addressed, Membership
from streamssl.transport.kafka.journal_reader import JournalReader
from streamssl.transport.kafka.outbox import Outbox, check_sizes, raise_permanent
from streamssl.transport.kafka.patience import FIRST_PAUSE_S, HOPELESS, Patience
from streamssl.transport.kafka.source import Source
from streamssl.transport.kafka.topics import Admin


class Committer(ABC):
    """What both ways of committing share.

    Args:
        app: Prefix of the output topics.
        input_topic: Topic whose positions are committed.
        instance: The journal partition.
        member: Static name of this member of the group.
        limits: Largest record of each output topic.
        source: The group's consumer.
        outbox: The producer.
        journal: Tells what landed.
        admin: Knows who is in the group.
        patience: Told about trouble; may end the wait.

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
        source: Source,
        outbox: Outbox,
        journal: JournalReader,
        admin: Admin,
        patience: Patience,
    ) -> None:
        self._app = app
        self._input_topic = input_topic
        self._instance = instance
        self._limits = limits
        self._source = source
        self._outbox = outbox
        self._journal = journal
        self._admin = admin
        self._member = member
        self._patience = patience
        self.journal_position = journal.end()
        self.num_settled = 0

    @abstractmethod
    def commit(self, transaction: Transaction) -> Receipt:
        """Land the transaction, or what is still held of it."""

    def _membership(self, transaction: Transaction) -> Membership:
        """The membership under which positions may be committed; waits until there is one.

        Where ranges were lost with an earlier one, it must be known too what has come back.
        What is held without a break needs no such wait: while a rebalance is under way, nobody
        is given what a member has not given up.
        """
        while True:
            group, lost = self._source.membership(), self._source.lost()
            if group is not None:
                waits = any((p, part.incarnation) in lost for p, part in transaction.parts.items())
                if not waits or group.is_stable:
                    return group
            self._patience.pause(FIRST_PAUSE_S, self._keep_turning)

    def _still_held(self, transaction: Transaction) -> Transaction:
        """The transaction without the ranges that are not ours any more."""
        source, retry = self._source, self._patience.retry
        return still_held(
            transaction,
            source.assignment(),
            source.lost(),
            lambda partition: retry(partial(source.committed, partition), self._keep_turning),
        )

    def _endure(self, error: BaseException) -> None:
        """Note what waiting may mend.

        Raises:
            RecordTooLargeError: The broker refuses a record for its size.
            TransportUnavailableError: Waiting cannot mend it.
        """
        try:
            raise_permanent(error)
        except HOPELESS as cause:
            self._patience.endure(cause)
        self._patience.note(error)

    def _addressed(self, transaction: Transaction) -> list[Addressed]:
        names = {word: f"{self._app}.{word}" for word in OUTPUTS}
        records = [
            Addressed(names[record.topic], partition, record)
            for partition, records in transaction.by_partition()
            for record in records
        ]
        check_sizes(records, self._limits)
        return records

    def _journalled(self, record: JournalRecord) -> Addressed:
        value = OutputRecord("journal", None, record.encode())
        return Addressed(f"{self._app}.journal", self._instance, value)

    def _keep_turning(self) -> None:
        self._patience.check()
        self._source.pump()

    def _replaced(self, why: str) -> str:
        return (
            f"another process runs as instance {self._instance} of {self._app} ({why}); "
            "give every instance its own app.instance"
        )

    def _nothing(self) -> Receipt:
        return Receipt(frozenset(), self.journal_position)

    def _go_on(self, transaction: Transaction, landed: Transaction) -> None:
        """Partitions that came back begin at the position they came back with: not again."""
        for partition, part in returned(transaction, landed).items():
            self._source.resume(partition, part.incarnation, part.range.stop)

    def _landed(self, record: JournalRecord, position: int) -> Receipt:
        self.journal_position = position
        self._patience.well()
        return Receipt(frozenset(record.ranges), position)
