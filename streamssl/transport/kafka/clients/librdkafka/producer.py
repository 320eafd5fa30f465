"""librdkafka's producer."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka import Producer as Client
from kafka import errors

from streamssl.config.sections import KafkaConfig
from streamssl.transport.kafka.clients.base import (
    BLOCK_S,
    Addressed,
    Membership,
    ProducerOptions,
    Sent,
)
from streamssl.transport.kafka.clients.librdkafka.errors import translated, translating
from streamssl.transport.kafka.clients.librdkafka.settings import LOGGER, producer_settings

# How long the outcomes that an error cut short are waited for.
REST_S = 1.0


class RdProducer:
    """A producer of librdkafka, every call of which has a time-out.

    Args:
        kafka: How to reach the broker.
        options: How it writes.
    """

    def __init__(self, kafka: KafkaConfig, options: ProducerOptions) -> None:
        self._timeout_s = options.transaction_timeout_ms / 1_000
        with translating():
            self._client: Client | None = Client(producer_settings(kafka, options), logger=LOGGER)

    def init_transactions(self) -> None:
        """Fence every earlier producer of this name, and end what it left open."""
        with translating():
            self._in_use().init_transactions(BLOCK_S)

    def begin_transaction(self) -> None:
        """What is sent from now on lands together."""
        with translating():
            self._in_use().begin_transaction()

    def send(self, records: Sequence[Addressed], timeout_s: float) -> list[Sent]:
        """Write; return when each is acknowledged or given up: one outcome a record."""
        client = self._in_use()
        late = errors.KafkaTimeoutError("a record was not acknowledged in time")
        sent: list[Sent] = [late] * len(records)
        try:
            with translating():
                _produce(client, records, sent)
                client.flush(timeout_s)
        except errors.KafkaError as error:
            # A fatal error may hide what became of single records; it may be told once more.
            with suppress(errors.KafkaError), translating():
                client.flush(REST_S)
            return [error if one is late else one for one in sent]
        return list(sent)

    def send_positions(self, topic: str, positions: Mapping[int, int], group: Membership) -> None:
        """Add input positions to the transaction.

        Raises:
            CommitFailedError: The membership is not valid any more.
        """
        offsets = [TopicPartition(topic, p, position) for p, position in positions.items()]
        with translating():
            self._in_use().send_offsets_to_transaction(offsets, group.native, self._timeout_s)

    def commit_transaction(self) -> None:
        """Commit.

        Raises:
            KafkaTimeoutError: No answer within the transaction's time-out; it may have landed.
        """
        with translating():
            self._in_use().commit_transaction(self._timeout_s)

    def discard(self) -> None:
        """End it; its threads are joined by another one, whatever the broker does."""
        held, self._client = [self._client], None
        threading.Thread(target=_free, args=(held,), name="streamssl-discard", daemon=True).start()

    def _in_use(self) -> Client:
        if self._client is None:
            raise errors.KafkaError("the producer was thrown away")
        return self._client


def _produce(client: Client, records: Sequence[Addressed], sent: list[Sent]) -> None:
    """Hand all of them over; what becomes of each is noted in `sent` by a later `flush`."""

    def told(index: int, error: Any, message: Any) -> None:
        sent[index] = int(message.offset()) if error is None else translated(error)

    produce: Any = client.produce  # its stub knows no list of plain headers
    for index, record in enumerate(records):
        produce(
            record.topic,
            record.record.value,
            record.record.key,
            record.partition,
            partial(told, index),
            headers=record.headers,
        )


def _free(held: list[Client | None]) -> None:
    """Drop the last reference, and with it the threads."""
    client = held.pop()
    if client is not None:
        with suppress(KafkaException, RuntimeError):
            client.purge(blocking=False)
