"""Producers: one that writes in transactions, one that writes until all is acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kafka import ConsumerGroupMetadata, errors

from streamssl.events import OutputRecord, StreamsslError
from streamssl.transport.kafka.fence import Fence
from streamssl.transport.kafka.patience import HOPELESS, TROUBLE
from streamssl.transport.kafka.producer import Producer, discard
from streamssl.transport.kafka.security import Settings

# Bytes of a record beside its key, value and headers, generously.
RECORD_OVERHEAD = 128
LEAST_DELIVERY_MS = 500


REFUSED_SIZES = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)


class RecordTooLargeError(StreamsslError):
    """An output record that the topic would refuse; sending it again would not help."""


class Addressed:
    """An output record with the topic and partition that it goes to."""

    __slots__ = ("headers", "key", "partition", "topic", "value")

    def __init__(self, topic: str, partition: int, record: OutputRecord) -> None:
        self.topic = topic
        self.partition = partition
        self.key = record.key
        self.value = record.value
        self.headers = list(record.headers)

    def num_bytes(self) -> int:
        """Size as the broker counts it, rounded up."""
        headers = sum(len(name) + len(value) + 10 for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers + RECORD_OVERHEAD

    def send(self, producer: Producer) -> Any:
        """Hand it to the producer; the future says later what became of it."""
        return producer.send(
            self.topic,
            value=self.value,
            key=self.key,
            headers=self.headers,
            partition=self.partition,
        )


def check_sizes(records: Sequence[Addressed], limits: Mapping[str, int]) -> None:
    """Refuse what would poison the transaction, before it begins.

    Raises:
        RecordTooLargeError: A record is larger than its topic takes.
    """
    for record in records:
        if record.num_bytes() > limits.get(record.topic, 0):
            raise RecordTooLargeError(
                f"a record of {record.num_bytes()} bytes for {record.topic} (partition "
                f"{record.partition}) is over the topic's limit of {limits.get(record.topic)}; "
                "raise the topic's max.message.bytes, or lower delivery.max_events or "
                "learner.embedding"
            )


class Outbox:
    """A producer that is thrown away and made anew after any doubt.

    Args:
        settings: What all clients share.
        transaction_timeout_ms: After this the broker aborts an abandoned transaction.
        max_request_bytes: Largest request.
        fence: Takes over the stable name of this instance; None writes without transactions.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transaction_timeout_ms: int,
        max_request_bytes: int,
        fence: Fence | None,
    ) -> None:
        # A send must be given up before the broker gives up the whole transaction.
        longest_ms = max(LEAST_DELIVERY_MS, transaction_timeout_ms * 8 // 10)
        delivery_ms = min(settings["request_timeout_ms"] + 1_000, longest_ms)
        self._flush_s = delivery_ms / 1_000 + 2.0
        self._producer: Producer | None = None
        self._fence = fence
        self._settings = {
            **settings,
            "request_timeout_ms": min(settings["request_timeout_ms"], delivery_ms - 100),
            "delivery_timeout_ms": delivery_ms,
            "max_block_ms": 5_000,
            "max_request_size": max_request_bytes,
            "batch_size": 256 * 1024,
            "linger_ms": 2,
            # After each commit the broker answers "concurrent transactions" until its markers
            # are written; the default wait of 100 ms would then be the throughput.
            "retry_backoff_ms": 5,
            "enable_idempotence": True,
            "acks": "all",
            "metrics_enabled": False,
        }
        if fence is not None:
            self._settings["transactional_id"] = fence.transactional_id
            self._settings["transaction_timeout_ms"] = transaction_timeout_ms

    def build(self) -> Producer:
        """A new producer; a transactional one has fenced every earlier one of this name."""
        producer = Producer(**self._settings)
        try:
            if self._fence:
                self._fence.take_over(producer)
        except BaseException:
            discard(producer)
            raise
        return producer

    def use(self, producer: Producer) -> None:
        """Write with this one from now on."""
        self._producer = producer

    def drop(self) -> None:
        """Throw the producer away, with whatever it has not sent."""
        producer, self._producer = self._producer, None
        if producer is not None:
            discard(producer)

    def _in_use(self) -> Producer:
        if self._producer is None:
            raise RuntimeError("the outbox writes before it was given a producer")
        return self._producer

    def write(
        self,
        records: Sequence[Addressed],
        journal: Addressed,
        offsets: Mapping[Any, Any],
        group: ConsumerGroupMetadata,
    ) -> int:
        """One transaction: all of it or nothing.

        Returns:
            The position after the journal record.
        """
        producer = self._in_use()
        producer.begin_transaction()
        futures = [record.send(producer) for record in [*records, journal]]
        producer.flush(timeout=self._flush_s)
        # An expired send fails its own future only: the commit would succeed without it.
        for future in futures:
            self._wait_for(future)
        if offsets:
            producer.send_offsets_to_transaction(dict(offsets), group)
        producer.commit_transaction()
        return int(futures[-1].value.offset) + 1

    def send_once(self, records: Sequence[Addressed]) -> tuple[list[Addressed], int]:
        """Write without a transaction.

        Returns:
            The records that were not acknowledged, and the position after the last one that was.

        Raises:
            RecordTooLargeError: The broker refuses a record for its size.
            KafkaError: Sending again would not help.
        """
        producer = self._in_use()
        futures: list[Any] = []
        try:
            futures.extend(record.send(producer) for record in records)
            producer.flush(timeout=self._flush_s)
        except TROUBLE as error:
            raise_permanent(error)
        done = [self._is_acknowledged(f) for f in futures]
        done += [False] * (len(records) - len(futures))
        failed = [r for r, fine in zip(records, done, strict=True) if not fine]
        position = int(futures[-1].value.offset) + 1 if done and done[-1] else -1
        return failed, position

    def _is_acknowledged(self, future: Any) -> bool:
        try:
            self._wait_for(future)
        except TROUBLE as error:
            raise_permanent(error)
            return False
        return True

    def _wait_for(self, future: Any) -> None:
        if not future.succeeded():
            # A flush does not wait for what a batch that was too large is split into.
            future.get(timeout=self._flush_s)


def raise_permanent(error: BaseException) -> None:
    """Raise what sending the same again would not mend; return after anything else.

    Raises:
        RecordTooLargeError: The broker refuses a record for its size.
        KafkaError: One of `HOPELESS`, which says itself what is wrong.
    """
    for cause in (error, *error.args):
        if isinstance(cause, REFUSED_SIZES):
            raise RecordTooLargeError(
                f"the broker refuses an output record for its size ({type(cause).__name__}: "
                f"{cause}); the limit was lowered since the start: raise the topic's "
                "max.message.bytes, or restart to have it read again"
            ) from error
        if isinstance(cause, HOPELESS):
            raise cause


def is_fenced(error: BaseException) -> bool:
    """True where the cause is a newer producer of the same name.

    The first call after the fence raises `ProducerFencedError`; later ones wrap it in a plain
    `KafkaError`, as an argument or in its text.
    """
    fences = (errors.ProducerFencedError, errors.InvalidProducerEpochError)
    causes = (error, *error.args)
    return any(isinstance(cause, fences) for cause in causes) or any(
        fence.__name__ in str(error) for fence in fences
    )
