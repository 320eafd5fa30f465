"""A running daemon's journal and input, read from outside: nothing is fenced, nothing joined."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from functools import partial
from typing import Self

from kafka import TopicPartition

from streamssl.config.root import Config
from streamssl.data.events import Slice
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.client_logs import demote_client_logs
from streamssl.transport.kafka.failures import CLIENT_ERRORS
from streamssl.transport.kafka.journal_reader import JournalReader
from streamssl.transport.kafka.range_reader import RangeReader, open_reader
from streamssl.transport.kafka.retry import RetryPolicy
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.topics import Admin


class KafkaReadonly:
    """What a replay of an instance's journal needs of Kafka; a context manager.

    A transaction that is under way while the journal is read counts if it was begun before.

    Args:
        config: Of which the sections app, kafka and input are read.

    Raises:
        TransportUnavailableError: Not reachable within `kafka.start_timeout_s`, or a topic is
            missing.
    """

    def __init__(self, config: Config) -> None:
        demote_client_logs()
        app, self.topic = config.app, config.input.topic
        self._settings = client_settings(config.kafka)
        self._retry_policy = RetryPolicy(lambda: False)
        self._opened = ExitStack()
        self._retry_policy.set_deadline(config.kafka.start_timeout_s)
        journal_tp = TopicPartition(f"{app.name}.journal", app.instance)
        try:
            self._connect(journal_tp)
        except BaseException:
            self._opened.close()
            raise
        self._retry_policy.clear_deadline()

    def journal(self, position: int) -> tuple[list[tuple[int, JournalRecord]], int]:
        """The instance's records from journal `position` on, and the oldest position kept."""
        return self._journal.read(position)

    def reread(self, partition: int, start: int, stop: int) -> Slice:
        """The messages of `[start, stop)` again.

        Raises:
            InputExpiredError: Part of the range is no longer kept.
        """
        return Slice(partition, 0, start, stop, self._input_reader.read(partition, start, stop))

    def close(self) -> None:
        """Close the consumers and the admin client."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self, journal_tp: TopicPartition) -> None:
        admin = self._retry_policy.retry(lambda: Admin(self._settings))
        self._opened.callback(admin.close)
        for topic in (self.topic, journal_tp.topic):
            self._retry_policy.retry(partial(admin.num_partitions, topic))
        self._input_reader = self._new_reader(self.topic, admin)
        self._journal = JournalReader(
            self._new_reader(journal_tp.topic, admin),
            admin,
            tp=journal_tp,
            retry_policy=self._retry_policy,
        )

    def _new_reader(self, topic: str, admin: Admin) -> RangeReader:
        reader = open_reader(
            self._settings, topic=topic, admin=admin, retry_policy=self._retry_policy
        )

        def free() -> None:
            with suppress(*CLIENT_ERRORS):
                reader.close()

        self._opened.callback(free)
        return reader
