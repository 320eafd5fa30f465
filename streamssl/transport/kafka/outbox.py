"""Producers: one that writes in transactions, one that writes until all is acknowledged."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kafka import errors

from streamssl.data.events import StreamsslError
from streamssl.transport.kafka.clients.base import (
    Addressed,
    Library,
    Membership,
    Producer,
    ProducerOptions,
    Sent,
)
from streamssl.transport.kafka.fence import Fence
from streamssl.transport.kafka.patience import HOPELESS, TROUBLE

LEAST_DELIVERY_MS = 500
# What a transaction may take where the broker takes too slowly.
SLOW_TRANSACTION_MS = 60_000
# What a flush may take beyond the deliveries that it waits for; what of them is as good as all.
FLUSH_S, NEARLY = 2.0, 0.8

REFUSED_SIZES = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)


class RecordTooLargeError(StreamsslError):
    """An output record that the topic would refuse; sending it again would not help."""


def check_sizes(records: Sequence[Addressed], limits: Mapping[str, int]) -> None:
    """Refuse what would poison the transaction, before it begins.

    Raises:
        RecordTooLargeError: A record is larger than its topic takes.
    """
    for record in records:
        limit = limits.get(record.topic, 0)
        if not record.is_far_below(limit) and record.num_bytes() > limit:
            raise RecordTooLargeError(
                f"a record of {record.num_bytes()} bytes for {record.topic} (partition "
                f"{record.partition}) is over the topic's limit of {limit}; "
                "raise the topic's max.message.bytes, or lower delivery.max_events or "
                "learner.embedding"
            )


class Outbox:
    """A producer that is thrown away and made anew after any doubt.

    Where a part of a transaction was acknowledged and time was over before the rest, the next
    producer has more time: sent again under the same time-outs it would never land.

    Args:
        library: Makes producers.
        request_timeout_ms: Time-out of one request.
        transaction_timeout_ms: After this the broker aborts an abandoned transaction.
        limits: Largest record of each output topic.
        fence: Takes over the stable name of this instance; None writes without transactions.
    """

    def __init__(
        self,
        library: Library,
        *,
        request_timeout_ms: int,
        transaction_timeout_ms: int,
        limits: Mapping[str, int],
        fence: Fence | None,
    ) -> None:
        self._library = library
        self._producer: Producer | None = None
        self._fence = fence
        self._options = self._usual = _in_time(
            ProducerOptions(
                transactional_id=fence.transactional_id if fence else None,
                transaction_timeout_ms=transaction_timeout_ms,
                request_timeout_ms=request_timeout_ms,
                delivery_ms=request_timeout_ms + 1_000,
                max_request_bytes=max(limits.values()),
                max_batch_bytes=min(limits.values()),
            )
        )
        slow_ms = max(transaction_timeout_ms, SLOW_TRANSACTION_MS)
        # A broker that holds back a client answers it no more for a while.
        self._slow = _in_time(
            replace(
                self._usual,
                transaction_timeout_ms=slow_ms,
                request_timeout_ms=max(request_timeout_ms, slow_ms // 2),
                delivery_ms=slow_ms,
            )
        )
        self._is_slow = False

    @property
    def transaction_timeout_s(self) -> float:
        """After this the broker aborts what the producer in use has begun."""
        return self._options.transaction_timeout_ms / 1_000

    def build(self) -> Producer:
        """A new producer; a transactional one has fenced every earlier one of this name."""
        if self._options is not self._usual:
            try:
                return self._build()
            except TROUBLE:  # a broker need not allow transactions as long as slow ones
                self._options = self._usual
        return self._build()

    def _build(self) -> Producer:
        producer = self._library.new_producer(self._options)
        try:
            if self._fence:
                self._fence.take_over(producer)
        except BaseException:
            producer.discard()
            raise
        return producer

    def use(self, producer: Producer) -> None:
        """Write with this one from now on."""
        self._producer = producer

    def drop(self) -> None:
        """Throw the producer away, with whatever it has not sent."""
        self._options = self._slow if self._is_slow else self._usual
        self._is_slow = False
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.discard()

    def _in_use(self) -> Producer:
        if self._producer is None:
            raise RuntimeError("the outbox writes before it was given a producer")
        return self._producer

    def write(
        self,
        records: Sequence[Addressed],
        journal: Addressed,
        topic: str,
        positions: Mapping[int, int],
        group: Membership,
    ) -> int:
        """One transaction: all of it or nothing.

        Args:
            records: Outputs.
            journal: The journal record, which is sent last.
            topic: Input topic.
            positions: Where its partitions go on.
            group: The membership under which they are committed.

        Returns:
            The position after the journal record.
        """
        producer = self._in_use()
        producer.begin_transaction()
        # An expired send fails its own record only: the commit would succeed without it.
        sent = [_offset(one) for one in self._send(producer, [*records, journal])]
        if positions:
            producer.send_positions(topic, positions, group)
        producer.commit_transaction()
        return sent[-1] + 1

    def _send(self, producer: Producer, records: Sequence[Addressed]) -> list[Sent]:
        """Send, and note whether time was over before all of it was acknowledged."""
        began_s, delivery_s = time.monotonic(), self._options.delivery_ms / 1_000
        sent = producer.send(records, delivery_s + FLUSH_S)
        num_landed = sum(isinstance(one, int) for one in sent)
        took_all_time = time.monotonic() - began_s >= NEARLY * delivery_s
        self._is_slow = took_all_time and 0 < num_landed < len(sent)
        return sent

    def send_once(self, records: Sequence[Addressed]) -> tuple[list[Addressed], int]:
        """Write without a transaction.

        Returns:
            The records that were not acknowledged, and the position after the last one that was.

        Raises:
            RecordTooLargeError: The broker refuses a record for its size.
            KafkaError: Sending again would not help.
        """
        sent = self._send(self._in_use(), records)
        for one in sent:
            if isinstance(one, BaseException):
                raise_permanent(one)
        both = zip(records, sent, strict=True)
        failed = [record for record, one in both if isinstance(one, BaseException)]
        last = sent[-1] if sent else None
        return failed, last + 1 if isinstance(last, int) else -1


def _in_time(options: ProducerOptions) -> ProducerOptions:
    """A send must be given up before the broker gives up the whole transaction."""
    longest_ms = max(LEAST_DELIVERY_MS, options.transaction_timeout_ms * 8 // 10)
    delivery_ms = min(options.delivery_ms, longest_ms)
    request_timeout_ms = min(options.request_timeout_ms, delivery_ms - 100)
    return replace(options, delivery_ms=delivery_ms, request_timeout_ms=request_timeout_ms)


def _offset(sent: Sent) -> int:
    if isinstance(sent, BaseException):
        raise sent
    return sent


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
