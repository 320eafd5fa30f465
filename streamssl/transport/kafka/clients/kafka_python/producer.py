"""kafka-python's producer, made to end: its commit and its sender can go on for ever."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition, errors

from streamssl.transport.kafka.clients.base import (
    BATCH_BYTES,
    BLOCK_S,
    LINGER_MS,
    RETRY_BACKOFF_MS,
    Addressed,
    Membership,
    ProducerOptions,
    Sent,
)
from streamssl.transport.kafka.patience import TROUBLE
from streamssl.transport.kafka.security import Settings

# How long the parts of a split batch are waited for, after those that went out whole.
SPLIT_S = 5.0


class PythonProducer:
    """A producer whose commit gives up when the broker has given up the transaction.

    Args:
        settings: What all clients share.
        options: How it writes.
    """

    def __init__(self, settings: Settings, options: ProducerOptions) -> None:
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

    def send(self, records: Sequence[Addressed], timeout_s: float) -> list[Sent]:
        """Write; return when each is acknowledged or given up: one outcome a record."""
        futures: list[Any] = []
        failure: list[Sent] = []
        try:
            futures.extend(map(self._send, records))
            self._producer.flush(timeout=timeout_s)
        except TROUBLE as error:
            failure = [error] * (len(records) - len(futures))
        # A flush does not wait for what a batch that was too large is split into. One limit for
        # all of them: waited for one by one, thousands that nobody answers would take hours.
        give_up = time.monotonic() + SPLIT_S
        return [*(_outcome(future, give_up) for future in futures), *failure]

    def send_positions(self, topic: str, positions: Mapping[int, int], group: Membership) -> None:
        """Add input positions to the transaction.

        Raises:
            CommitFailedError: The membership is not valid any more.
        """
        self._producer.send_offsets_to_transaction(offsets_of(topic, positions), group.native)

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
        """End it, its thread included, with whatever it has not sent."""
        with suppress(*TROUBLE):
            self._producer.close(timeout=0)
        # close() gives up before it ends the sender where records cannot be flushed, and a sender
        # that lives on would retry them.
        self._producer._sender.force_close()

    def _send(self, record: Addressed) -> Any:
        return self._producer.send(
            record.topic,
            value=record.record.value,
            key=record.record.key,
            headers=record.headers,
            partition=record.partition,
        )


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


def _outcome(future: Any, give_up: float) -> Sent:
    try:
        if not future.succeeded():
            future.get(timeout=max(0.0, give_up - time.monotonic()))
    except TROUBLE as error:
        return error
    return int(future.value.offset)
