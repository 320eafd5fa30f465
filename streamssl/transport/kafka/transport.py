"""Kafka behind the transport's contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from streamssl.config.root import Config
from streamssl.data.events import Slice
from streamssl.transport.base import Receipt, Transaction
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.client_logs import demote_client_logs
from streamssl.transport.kafka.connection import Connection
from streamssl.transport.kafka.retry import RetryPolicy


class KafkaTransport:
    """One instance's connection to Kafka; used by one thread (`trouble` and `lag` by any).

    Args:
        config: Of which the sections app, kafka, delivery, input and outputs are read.
        stopping: True from the moment that the process shall end; cuts long waits short.
    """

    def __init__(self, config: Config, *, stopping: Callable[[], bool] = lambda: False) -> None:
        self.topic = config.input.topic
        self._config = config
        self._retry_policy = RetryPolicy(stopping)
        self._connection: Connection | None = None

    @property
    def trouble(self) -> str:
        """What is wrong with the broker now, empty while it answers; for `/readyz`."""
        return self._retry_policy.current_failure

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
        demote_client_logs()
        self._retry_policy.set_deadline(self._config.kafka.start_timeout_s)
        self._connection = Connection(self._config, self._retry_policy)
        self._retry_policy.clear_deadline()

    def journal(self, position: int) -> tuple[list[tuple[int, JournalRecord]], int]:
        """This instance's records from journal `position` on, and the oldest position kept."""
        return self._open.journal.read(position)

    def reread(self, partition: int, start: int, stop: int) -> Slice:
        """The messages of `[start, stop)` again (incarnation 0), outside the group.

        Raises:
            InputExpiredError: Part of the range is no longer kept.
        """
        messages = self._open.input_reader.read(partition, start, stop)
        if self._open.subscription.joined:
            self._open.input_reader.forget()  # a tail is read once; recovery reads on
        return Slice(partition, 0, start, stop, messages)

    def beginning(self, partition: int) -> int:
        """Oldest offset of the input that is still kept."""
        return self._open.input_reader.oldest(partition)

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None if it never committed."""
        return self._retry_policy.retry(partial(self._open.subscription.committed, partition))

    def join(self) -> None:
        """Enter the group; `poll` gives slices from now on."""
        self._open.input_reader.forget()
        self._open.subscription.join()

    def poll(self, max_messages: int, timeout_s: float) -> list[Slice]:
        """At most `max_messages` messages of the partitions held, in equal shares.

        Raises:
            FencedError: Another process joined the group as this instance.
        """
        slices = self._open.subscription.poll(max_messages, timeout_s)
        if any(piece.partition >= self._open.num_partitions for piece in slices):
            self._open.follow_growth()
        return slices

    def assignment(self) -> Mapping[int, int]:
        """Partitions held now, each with its incarnation."""
        return self._open.subscription.assignment()

    def commit(self, transaction: Transaction) -> Receipt:
        """Write all of it, or of the partitions still held all of it; return when that is known.

        Raises:
            FencedError: Another process has taken this instance's place.
            RecordTooLargeError: The broker would never take one of the records.
            StoppedError: The process shall end and the broker does not answer; the next start
                settles the transaction.
        """
        return self._open.committer.commit(transaction)

    def lag(self) -> Mapping[int, int]:
        """Messages not yet taken, per partition held."""
        return self._open.subscription.lag()

    def exhausted(self) -> bool:
        """A stream has no end."""
        return False

    def release_journal(self, position: int) -> None:
        """Journal records before `position` may be deleted; a failure is left for next time."""
        self._open.release_journal(position)

    def close(self) -> None:
        """Leave the group at once (a planned stop) and free everything."""
        if self._connection:
            self._connection.close()
        self._connection = None

    @property
    def _open(self) -> Connection:
        if self._connection is None:
            raise RuntimeError("the transport is not open")
        return self._connection
