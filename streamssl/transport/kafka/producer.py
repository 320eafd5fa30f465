"""kafka-python's producer, whose calls all end: its own commit and sender can go on for ever."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kafka import (
    ConsumerGroupMetadata,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
    errors,
)
from kafka.producer.producer_batch import ProducerBatch

from streamssl.transport.kafka.failures import CLIENT_ERRORS
from streamssl.transport.kafka.producer_record import RECORD_OVERHEAD, ProducerRecord, SendOutcome
from streamssl.transport.kafka.record_encoding import append, encode_batches, new_batch, outcomes_of
from streamssl.transport.kafka.security import Settings

# After each commit the broker answers "concurrent transactions" until its markers are written;
# the usual wait of 100 ms would then be the throughput (a transaction takes 20 ms:
# docs/research-log.md, "Kafka to Kafka").
RETRY_BACKOFF_MS = 5
# Whole batches are handed over: waiting for more records would only delay them. A partition's
# share of a transaction is a few batches.
LINGER_MS, BATCH_BYTES = 2, 256 * 1024
# How long a producer waits for the first answer of a coordinator, or for metadata, and for the
# parts of a split batch after those that went out whole: as long as a request may take by default
# (`kafka.request_timeout_ms`).
BLOCK_S, SPLIT_S = 5.0, 5.0


@dataclass(frozen=True, slots=True)
class ProducerOptions:
    """How a producer writes.

    Attributes:
        transactional_id: Stable name; None writes without transactions.
        transaction_timeout_ms: After this the broker aborts an abandoned transaction.
        request_timeout_ms: Time-out of one request.
        delivery_ms: After this a record that was not acknowledged is given up.
        max_request_bytes: Largest request, and largest record.
        max_batch_bytes: Largest batch that every topic takes whole.
    """

    transactional_id: str | None
    transaction_timeout_ms: int
    request_timeout_ms: int
    delivery_ms: int
    max_request_bytes: int
    max_batch_bytes: int


class Producer:
    """Writes in transactions, if it has a name; no call waits for ever.

    Its commit gives up when the broker has given up the transaction. After a failure nothing has
    to work but `discard`.

    Args:
        settings: What all clients share.
        options: How it writes.
    """

    def __init__(self, settings: Settings, options: ProducerOptions) -> None:
        self._in_transactions = options.transactional_id is not None
        self._batch_bytes = min(BATCH_BYTES, options.max_batch_bytes - RECORD_OVERHEAD)
        self._max_bytes = options.max_request_bytes
        self._transaction_timeout_ms = options.transaction_timeout_ms
        self._producer = KafkaProducer(
            **settings
            | {
                "request_timeout_ms": options.request_timeout_ms,
                "delivery_timeout_ms": options.delivery_ms,
                "max_block_ms": int(BLOCK_S * 1_000),
                "max_request_size": options.max_request_bytes,
                "batch_size": BATCH_BYTES,
                "linger_ms": LINGER_MS,
                "retry_backoff_ms": RETRY_BACKOFF_MS,
                "enable_idempotence": True,
                "acks": "all",
                "metrics_enabled": False,
            }
            | _transactional(options)
        )

    def init_transactions(self) -> None:
        """Fence every earlier producer of this name, and end what it left open."""
        self._producer.init_transactions()

    def begin_transaction(self) -> None:
        """What is sent from now on lands together."""
        self._producer.begin_transaction()

    def send(self, records: Sequence[ProducerRecord], timeout_s: float) -> list[SendOutcome]:
        """Write; return when each is acknowledged or given up: one outcome a record."""
        sent: list[SendOutcome] = [-1] * len(records)
        handed: list[tuple[list[int], ProducerBatch]] = []
        try:
            by_partition = _by_partition(records)
            self._announce(by_partition)
            for tp, places in by_partition.items():
                handed.extend(self._hand_over(tp, places, records))
            self._producer._sender.wakeup()
            self._producer.flush(timeout=timeout_s)
        except CLIENT_ERRORS as error:
            sent = [error] * len(records)
        # A flush does not wait for what a batch that was too large is split into. One limit for
        # all of them: waited for one by one, thousands that nobody answers would take hours.
        give_up = time.monotonic() + SPLIT_S
        for places, batch in handed:
            for place, outcome in zip(places, outcomes_of(batch, give_up), strict=True):
                sent[place] = outcome
        return sent

    def send_positions(
        self, topic: str, positions: Mapping[int, int], group: ConsumerGroupMetadata
    ) -> None:
        """Add input positions to the transaction.

        Raises:
            CommitFailedError: The membership is not valid any more.
        """
        self._producer.send_offsets_to_transaction(offsets_of(topic, positions), group)

    def commit_transaction(self) -> None:
        """Commit the transaction that was begun; the library's own wait has no end.

        Raises:
            KafkaTimeoutError: No answer within the transaction's time-out; it may have landed.
        """
        result = self._producer._transaction_manager.begin_commit()
        self._producer._sender.wakeup()
        if not result.wait(timeout_ms=self._transaction_timeout_ms):
            raise errors.KafkaTimeoutError("the broker did not answer a commit in time")

    def discard(self) -> None:
        """End it, its thread included, with whatever it has not sent; returns at once."""
        with suppress(*CLIENT_ERRORS):
            self._producer.close(timeout=0)
        # close() gives up before it ends the sender where records cannot be flushed, and a sender
        # that lives on would retry them.
        self._producer._sender.force_close()

    def _announce(self, partitions: Collection[TopicPartition]) -> None:
        """Add partitions to the transaction, all of them before the sender asks the broker."""
        producer = self._producer
        for tp in partitions:
            if producer._metadata.partitions_for_topic(tp.topic) is None:
                producer._wait_on_metadata(tp.topic, BLOCK_S * 1_000)
        if self._in_transactions:
            for tp in partitions:
                producer._transaction_manager.maybe_add_partition_to_transaction(tp)

    def _hand_over(
        self, tp: TopicPartition, places: list[int], records: Sequence[ProducerRecord]
    ) -> Iterator[tuple[list[int], ProducerBatch]]:
        """Put the records of one partition where the sender finds them."""
        done = 0
        for size, body in encode_batches(
            [records[place].record for place in places], self._batch_bytes
        ):
            if len(body) > self._max_bytes:
                raise errors.MessageSizeTooLargeError(f"a record of {len(body)} bytes")
            batch = new_batch(tp, size, body)
            append(self._producer._accumulator, batch)
            yield places[done : done + size], batch
            done += size


def _by_partition(records: Sequence[ProducerRecord]) -> dict[TopicPartition, list[int]]:
    """Places of the records that go to each partition, in their order."""
    places: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        places[record.topic, record.partition].append(place)
    return {TopicPartition(*where): found for where, found in places.items()}


def offsets_of(topic: str, positions: Mapping[int, int]) -> dict[TopicPartition, Any]:
    """Positions as kafka-python wants them for a commit."""
    return {
        TopicPartition(topic, partition): OffsetAndMetadata(position, "", -1)
        for partition, position in positions.items()
    }


def _transactional(options: ProducerOptions) -> Settings:
    if options.transactional_id is None:
        return {}
    return {
        "transactional_id": options.transactional_id,
        "transaction_timeout_ms": options.transaction_timeout_ms,
    }
