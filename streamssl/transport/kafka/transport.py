"""Kafka behind the transport's contract."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from kafka import TopicPartition

from streamssl.config.sections import (
    AppConfig,
    DeliveryConfig,
    InputConfig,
    KafkaConfig,
    OutputsConfig,
)
from streamssl.events import Slice
from streamssl.transport.base import Receipt, Transaction, TransportUnavailableError
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.at_least_once import AtLeastOnce
from streamssl.transport.kafka.commit import Committer
from streamssl.transport.kafka.exactly_once import ExactlyOnce
from streamssl.transport.kafka.journal_reader import JournalReader
from streamssl.transport.kafka.outbox import Outbox
from streamssl.transport.kafka.patience import TROUBLE, Patience
from streamssl.transport.kafka.quiet import quieten
from streamssl.transport.kafka.reader import RangeReader, open_consumer
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.source import Source
from streamssl.transport.kafka.topics import Admin, wanted_outputs

log = logging.getLogger(__name__)

CLOSE_S = 2.0


@dataclass
class _Connection:
    """Everything that is open; made whole by `open`, so that nothing is half there."""

    admin: Admin
    source: Source
    outbox: Outbox
    inputs: RangeReader
    journal: JournalReader
    committer: Committer
    num_partitions: int
    joined: bool = False


class KafkaTransport:
    """One instance's connection to Kafka; used by one thread (`trouble` and `lag` by any).

    Args:
        app: Who this instance is.
        kafka: How to reach the broker.
        delivery: What a subscriber may rely on.
        input: Where events come from.
        outputs: Where results go.
        stopping: True from the moment that the process shall end; cuts long waits short.
    """

    def __init__(
        self,
        *,
        app: AppConfig,
        kafka: KafkaConfig,
        delivery: DeliveryConfig,
        input: InputConfig,  # noqa: A002 the section's name
        outputs: OutputsConfig,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.topic = input.topic
        self._app, self._kafka, self._outputs = app, kafka, outputs
        self._mode, self._start = delivery.mode, input.start
        self._member = f"{app.name}-{app.instance}"
        self._settings = client_settings(kafka)
        self._patience = Patience(stopping)
        self._opened = ExitStack()
        self._connection: _Connection | None = None

    @property
    def trouble(self) -> str:
        """What is wrong with the broker now, empty while it answers; for `/readyz`."""
        return self._patience.trouble

    @property
    def num_settled(self) -> int:
        """Transactions whose outcome the journal had to tell."""
        return self._open.committer.num_settled

    def open(self) -> None:
        """Connect, check or create topics, and fence earlier processes of this instance.

        Raises:
            TransportUnavailableError: Not reachable within `kafka.start_timeout_s`, or a topic is
                missing or forbidden.
        """
        quieten()
        if self._app.instance >= self._outputs.journal_partitions:
            raise TransportUnavailableError(
                f"app.instance {self._app.instance} needs a journal partition of its own, but "
                f"outputs.journal_partitions is {self._outputs.journal_partitions}; raise it"
            )
        self._patience.begin(self._kafka.start_timeout_s)
        try:
            self._connect()
        except BaseException:
            self._opened.close()
            raise
        self._patience.settled()

    def journal(self, position: int) -> tuple[list[tuple[int, JournalRecord]], int]:
        """This instance's records from journal `position` on, and the oldest position kept."""
        return self._open.journal.read(position)

    def reread(self, partition: int, start: int, stop: int) -> Slice:
        """The messages of `[start, stop)` again (incarnation 0), outside the group.

        Raises:
            InputExpiredError: Part of the range is no longer kept.
        """
        messages = self._open.inputs.read(partition, start, stop)
        if self._open.joined:
            self._open.inputs.forget()  # a tail is read once; recovery reads on
        return Slice(partition, 0, start, stop, messages)

    def beginning(self, partition: int) -> int:
        """Oldest offset of the input that is still kept."""
        return self._open.inputs.oldest(partition)

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None if it never committed."""
        return self._patience.retry(partial(self._open.source.committed, partition))

    def join(self) -> None:
        """Enter the group; `poll` gives slices from now on."""
        self._open.inputs.forget()
        self._open.source.join()
        self._open.joined = True

    def poll(self, max_messages: int, timeout_s: float) -> list[Slice]:
        """At most `max_messages` messages of the partitions held, in equal shares.

        Raises:
            FencedError: Another process joined the group as this instance.
        """
        slices = self._open.source.poll(max_messages, timeout_s)
        if any(piece.partition >= self._open.num_partitions for piece in slices):
            self._follow_growth()
        return slices

    def assignment(self) -> Mapping[int, int]:
        """Partitions held now, each with its incarnation."""
        return self._open.source.assignment()

    def commit(self, transaction: Transaction) -> Receipt:
        """Write all of it, or of the partitions still held all of it; settle doubts first.

        Raises:
            FencedError: Another process has taken this instance's place.
            RecordTooLargeError: The broker would never take one of the records.
            StoppedError: The process shall end and the broker does not answer; the next start
                settles the transaction.
        """
        return self._open.committer.commit(transaction)

    def lag(self) -> Mapping[int, int]:
        """Messages not yet taken, per partition held."""
        return self._open.source.lag()

    def exhausted(self) -> bool:
        """A stream has no end."""
        return False

    def release_journal(self, position: int) -> None:
        """Journal records before `position` may be deleted; a failure is left for next time."""
        try:
            self._open.admin.delete_before(self._journal_tp, position)
        except TROUBLE as error:
            self._patience.note(error)

    def close(self) -> None:
        """Leave the group at once (a planned stop) and free everything."""
        self._opened.close()
        self._connection = None

    # ---- connecting

    @property
    def _open(self) -> _Connection:
        if self._connection is None:
            raise RuntimeError("the transport is not open")
        return self._connection

    @property
    def _journal_tp(self) -> TopicPartition:
        return TopicPartition(f"{self._app.name}.journal", self._app.instance)

    def _connect(self) -> None:
        retry = self._patience.retry
        admin = retry(lambda: Admin(self._settings))
        self._finally(admin.close)
        num_partitions, limits = retry(partial(self._check_topics, admin))
        outbox = self._new_outbox(max(limits.values()))
        outbox.use(retry(outbox.build))
        self._finally(outbox.drop)
        source = retry(self._new_source)
        self._finally(lambda: self._leave(source, admin))
        inputs = self._new_reader(self.topic, admin)
        journal = JournalReader(
            self._new_reader(self._journal_tp.topic, admin),
            admin,
            tp=self._journal_tp,
            patience=self._patience,
        )
        kind = ExactlyOnce if self._mode == "exactly_once" else AtLeastOnce
        committer = kind(
            app=self._app.name,
            input_topic=self.topic,
            instance=self._app.instance,
            member=self._member,
            limits=limits,
            source=source,
            outbox=outbox,
            journal=journal,
            admin=admin,
            patience=self._patience,
            transaction_timeout_s=self._kafka.transaction_timeout_ms / 1_000,
        )
        self._connection = _Connection(
            admin, source, outbox, inputs, journal, committer, num_partitions
        )

    def _follow_growth(self) -> None:
        """The input has more partitions than at the start: the outputs must follow."""
        retry, connection = self._patience.retry, self._open
        connection.num_partitions, _ = retry(partial(self._check_topics, connection.admin))
        # A producer learns of new partitions within minutes; a new one knows them at once.
        connection.outbox.drop()
        connection.outbox.use(retry(connection.outbox.build))

    def _check_topics(self, admin: Admin) -> tuple[int, Mapping[str, int]]:
        """Check input and output topics: the input's partitions, each output's largest record."""
        num_partitions = admin.num_partitions(self.topic)
        admin.ensure_outputs(self._app.name, num_partitions, self._outputs)
        wanted = wanted_outputs(self._app.name, num_partitions, self._outputs)
        return num_partitions, admin.record_limits(list(wanted))

    def _new_outbox(self, max_request_bytes: int) -> Outbox:
        return Outbox(
            self._settings,
            transaction_timeout_ms=self._kafka.transaction_timeout_ms,
            max_request_bytes=max_request_bytes,
            transactional_id=self._member if self._mode == "exactly_once" else None,
        )

    def _new_source(self) -> Source:
        return Source(
            self._settings,
            topic=self.topic,
            group=self._app.name,
            member=self._member,
            session_timeout_ms=self._kafka.session_timeout_ms,
            start=self._start,
            patience=self._patience,
        )

    def _new_reader(self, topic: str, admin: Admin) -> RangeReader:
        consumer = self._patience.retry(lambda: open_consumer(self._settings))
        self._finally(lambda: consumer.close(autocommit=False, timeout_ms=1_000))
        return RangeReader(
            consumer, topic=topic, patience=self._patience, end=admin.uncommitted_end
        )

    def _leave(self, source: Source, admin: Admin) -> None:
        """Leave the group, if this process is in it.

        A static member never says itself that it leaves: without its removal the group would
        wait for its session to time out.
        """
        member_id = source.member_id()  # closing forgets it
        try:
            source.close(CLOSE_S)
        finally:
            if member_id and not self.trouble:  # a broker that is away would only hold us up
                admin.remove_member(self._app.name, self._member, member_id)

    def _finally(self, free: Callable[[], None]) -> None:
        """Call it at `close`, newest first, whatever becomes of the others."""

        def freed() -> None:
            try:
                free()
            except TROUBLE as error:
                log.warning("not closed in order: %s: %s", type(error).__name__, error)

        self._opened.callback(freed)
