"""Writes output records: in transactions, or one by one until all are acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from kafka import ConsumerGroupMetadata

from streamssl.transport.kafka.failures import CLIENT_ERRORS, raise_fatal
from streamssl.transport.kafka.fence import Fence
from streamssl.transport.kafka.producer import Producer, ProducerOptions
from streamssl.transport.kafka.producer_record import ProducerRecord, SendOutcome

# A record gets at least so long, however short the transactions are; its requests a little less.
LEAST_DELIVERY_MS, LESS_A_REQUEST_MS = 500, 100
# What a transaction may take where the broker takes too slowly: Apache Kafka's own default of
# transaction.timeout.ms (`make chaos STAGE=slow-output` is such a broker).
SLOW_TRANSACTION_MS = 60_000
# Beyond the time of one request, for linger and batching.
BEYOND_REQUEST_MS = 1_000
# What a flush may take beyond the deliveries that it waits for.
FLUSH_S = 2.0
# The share of an allowance that counts as all of it: of the time for a delivery (was it used up?),
# and of a transaction's for its deliveries (the rest is for positions and commit).
NEARLY_ALL = 0.8


class OutputWriter:
    """Owns the producer, which is replaced after any failure.

    Where a part of a transaction was acknowledged and time was over before the rest, the next
    producer has more time: sent again under the same time-outs it would never land.

    Args:
        make_producer: Makes a producer.
        request_timeout_ms: Time-out of one request.
        transaction_timeout_ms: After this the broker aborts an abandoned transaction.
        limits: Largest record of each output topic.
        fence: Takes over the stable name of this instance; None writes without transactions.
    """

    def __init__(
        self,
        make_producer: Callable[[ProducerOptions], Producer],
        *,
        request_timeout_ms: int,
        transaction_timeout_ms: int,
        limits: Mapping[str, int],
        fence: Fence | None,
    ) -> None:
        self._make_producer = make_producer
        self._producer: Producer | None = None
        self._fence = fence
        self._options = self._usual = _in_time(
            ProducerOptions(
                transactional_id=fence.transactional_id if fence else None,
                transaction_timeout_ms=transaction_timeout_ms,
                request_timeout_ms=request_timeout_ms,
                delivery_ms=request_timeout_ms + BEYOND_REQUEST_MS,
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
        self._was_too_slow = False

    @property
    def transaction_timeout_s(self) -> float:
        """After this the broker aborts what the producer in use has begun."""
        return self._options.transaction_timeout_ms / 1_000

    def new_producer(self) -> Producer:
        """A new producer; a transactional one has fenced every earlier one of this name."""
        if self._options is not self._usual:
            try:
                return self._fencing_producer()
            except CLIENT_ERRORS:  # a broker need not allow transactions as long as slow ones
                self._options = self._usual
        return self._fencing_producer()

    def _fencing_producer(self) -> Producer:
        producer = self._make_producer(self._options)
        try:
            if self._fence:
                self._fence.take_over(producer)
        except BaseException:
            producer.discard()
            raise
        return producer

    def replace_producer(self, new_producer: Callable[[], Producer]) -> None:
        """Discard the producer in use, and write with a new one from now on.

        Args:
            new_producer: Gives what this writer's `new_producer` gave, after as many attempts as
                that takes.
        """
        self.discard_producer()
        self._producer = new_producer()

    def discard_producer(self) -> None:
        """End the producer in use, if any, with whatever it has not sent."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        self._options = self._slow if self._was_too_slow else self._usual
        self._was_too_slow = False
        producer.discard()

    def write_transaction(
        self,
        records: Sequence[ProducerRecord],
        journal: ProducerRecord,
        topic: str,
        positions: Mapping[int, int],
        group: ConsumerGroupMetadata,
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
        offsets = [_offset_of(sent) for sent in self._send(producer, [*records, journal])]
        if positions:
            producer.send_positions(topic, positions, group)
        producer.commit_transaction()
        return offsets[-1] + 1

    def write_once(self, records: Sequence[ProducerRecord]) -> tuple[list[ProducerRecord], int]:
        """Write without a transaction, each record at most once.

        Returns:
            The records that were not acknowledged, and the position after the last one that was.

        Raises:
            RecordTooLargeError: The broker refuses a record for its size.
            KafkaError: Sending again would not help.
        """
        outcomes = self._send(self._in_use(), records)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise_fatal(outcome)
        both = zip(records, outcomes, strict=True)
        failed = [record for record, outcome in both if isinstance(outcome, BaseException)]
        last = outcomes[-1] if outcomes else None
        return failed, last + 1 if isinstance(last, int) else -1

    def _in_use(self) -> Producer:
        if self._producer is None:
            raise RuntimeError("nothing can be written before there is a producer")
        return self._producer

    def _send(self, producer: Producer, records: Sequence[ProducerRecord]) -> list[SendOutcome]:
        """Send, and note whether time was over before all of it was acknowledged."""
        began_s, delivery_s = time.monotonic(), self._options.delivery_ms / 1_000
        outcomes = producer.send(records, delivery_s + FLUSH_S)
        num_landed = sum(isinstance(outcome, int) for outcome in outcomes)
        took_all_time = time.monotonic() - began_s >= NEARLY_ALL * delivery_s
        self._was_too_slow = took_all_time and 0 < num_landed < len(outcomes)
        return outcomes


def _in_time(options: ProducerOptions) -> ProducerOptions:
    """A send must be given up before the broker gives up the whole transaction."""
    longest_ms = max(LEAST_DELIVERY_MS, int(NEARLY_ALL * options.transaction_timeout_ms))
    delivery_ms = min(options.delivery_ms, longest_ms)
    request_timeout_ms = min(options.request_timeout_ms, delivery_ms - LESS_A_REQUEST_MS)
    return replace(options, delivery_ms=delivery_ms, request_timeout_ms=request_timeout_ms)


def _offset_of(outcome: SendOutcome) -> int:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
