"""A producer thrown away for slowness is followed by one with more time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import ConsumerGroupMetadata, errors

from streamssl.data.events import OutputRecord
from streamssl.transport.kafka.output_writer import SLOW_TRANSACTION_MS, OutputWriter
from streamssl.transport.kafka.producer import Producer, ProducerOptions
from streamssl.transport.kafka.producer_record import ProducerRecord, SendOutcome

ROW = ProducerRecord("app.scores", 0, OutputRecord("scores", None, b"1"))
JOURNAL = ProducerRecord("app.journal", 0, OutputRecord("journal", None, b"{}"))
EXPIRED = errors.KafkaTimeoutError("expired")
GROUP = ConsumerGroupMetadata("app", 1, "me")


class FakeProducer:
    """Acknowledges what a test says, after as long as it says."""

    def __init__(self, sent: list[SendOutcome], seconds: float) -> None:
        self._sent, self._seconds = sent, seconds

    def init_transactions(self) -> None: ...

    def begin_transaction(self) -> None: ...

    def send(self, records: Sequence[ProducerRecord], timeout_s: float) -> list[SendOutcome]:
        assert len(records) == len(self._sent)
        time.sleep(min(self._seconds, timeout_s))
        return self._sent

    def send_positions(
        self, topic: str, positions: Mapping[int, int], group: ConsumerGroupMetadata
    ) -> None: ...

    def commit_transaction(self) -> None: ...

    def discard(self) -> None: ...


class Factory:
    """Makes the producers that a test says, and notes what they are told."""

    def __init__(self) -> None:
        self.options: list[ProducerOptions] = []
        self.next = FakeProducer([0, 7], 0.0)

    def __call__(self, options: ProducerOptions) -> Any:
        self.options.append(options)
        return self.next


def new_writer(factory: Factory, request_timeout_ms: int = 300, fence: Any = None) -> OutputWriter:
    """One whose usual transactions are short."""
    return OutputWriter(
        factory,
        request_timeout_ms=request_timeout_ms,
        transaction_timeout_ms=600,
        limits={"app.scores": 1_000_000},
        fence=fence,
    )


def fail_slowly(writer: OutputWriter, factory: Factory) -> None:
    """A part of a transaction lands, and time is over before the rest."""
    factory.next = FakeProducer([0, EXPIRED], 0.5)
    writer.replace_producer(writer.new_producer)
    with pytest.raises(errors.KafkaTimeoutError):
        writer.write_transaction([ROW], JOURNAL, "events", {0: 1}, GROUP)
    writer.discard_producer()


@pytest.mark.parametrize("request_timeout_ms", [300, 5_000, 60_000, 300_000])
def test_a_request_is_given_up_before_its_record_and_that_before_the_transaction(
    request_timeout_ms: int,
) -> None:
    """However long requests may take, for a usual producer and for a patient one."""
    factory = Factory()
    writer = new_writer(factory, request_timeout_ms)
    fail_slowly(writer, factory)
    writer.new_producer()
    for options in factory.options:
        assert options.request_timeout_ms < options.delivery_ms < options.transaction_timeout_ms
    assert factory.options[0].delivery_ms < factory.options[1].delivery_ms


def test_a_broker_that_allows_no_long_transactions_is_asked_for_short_ones() -> None:
    """The refusal, which nothing but another setting would mend, ends no daemon."""
    factory = Factory()

    def take_over(_: Producer) -> None:
        if factory.options[-1].transaction_timeout_ms == SLOW_TRANSACTION_MS:
            raise errors.InvalidTransactionTimeoutError

    fence = SimpleNamespace(transactional_id="app-0", take_over=take_over)
    writer = new_writer(factory, fence=fence)
    fail_slowly(writer, factory)
    writer.replace_producer(writer.new_producer)
    timeouts = [options.transaction_timeout_ms for options in factory.options]
    assert timeouts == [600, SLOW_TRANSACTION_MS, 600]


@pytest.mark.parametrize(
    ("sent", "seconds", "slow"),
    [
        ([0, EXPIRED], 0.5, True),  # a part of it landed, and time was over
        ([EXPIRED, EXPIRED], 0.5, False),  # nobody answered
        ([0, EXPIRED], 0.0, False),  # refused at once
        ([0, 7], 0.5, False),  # all of it landed just in time
    ],
)
def test_who_answers_too_slowly_is_given_more_time(
    sent: list[SendOutcome], seconds: float, slow: bool
) -> None:
    """It lasts for one producer: the one after the next has usual time-outs again."""
    factory = Factory()
    writer = new_writer(factory)
    turns: list[tuple[list[SendOutcome], float]] = [
        (sent, seconds),
        ([EXPIRED, EXPIRED], 0.0),
        ([0, 7], 0.0),
    ]
    for outcomes, after_s in turns:
        factory.next = FakeProducer(outcomes, after_s)
        writer.replace_producer(writer.new_producer)
        if EXPIRED in outcomes:
            with pytest.raises(errors.KafkaTimeoutError):
                writer.write_transaction([ROW], JOURNAL, "events", {0: 1}, GROUP)
        else:
            assert writer.write_transaction([ROW], JOURNAL, "events", {0: 1}, GROUP) == 8
        writer.discard_producer()
    usual, second, third = factory.options
    assert third == usual
    assert (second == usual) is not slow
    if slow:
        assert second.transaction_timeout_ms == SLOW_TRANSACTION_MS
        assert usual.delivery_ms < second.request_timeout_ms < second.delivery_ms
        assert second.delivery_ms < SLOW_TRANSACTION_MS
