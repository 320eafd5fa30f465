"""Commits on a real Kafka when something goes wrong."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from kafka import ConsumerGroupMetadata, errors

from streamssl.data.events import OutputRecord
from streamssl.transport.kafka.producer_record import ProducerRecord
from tests.conftest import RunningBroker
from tests.transport.kafka_stream import (
    FaultyProducer,
    Stream,
    Worker,
    WrappedProducer,
    wrap_producers,
)

pytestmark = pytest.mark.kafka


@pytest.fixture
def stream(kafka_broker: RunningBroker, unique_name: Callable[[str], str]) -> Stream:
    return Stream(kafka_broker.bootstrap_servers, unique_name)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes wrong in the next transactions; see `FaultyProducer`."""
    planned: list[str] = []
    monkeypatch.setattr(FaultyProducer, "faults", planned)
    wrap_producers(monkeypatch, FaultyProducer)
    return planned


@pytest.mark.parametrize("fault", ["before", "after", "late", "expired"])
def test_a_failed_commit_is_settled_by_the_journal(
    stream: Stream, faults: list[str], fault: str
) -> None:
    """Landed or not, every result is seen once, and the receipt is the same as without a fault."""
    stream.produce(range(400))
    faults += [fault]
    with stream.joined() as transport:
        worker = Worker(transport)
        worker.run(400)
        records, _ = transport.journal(0)
        assert transport.num_settled == 1
        assert [record.seq for _, record in records] == list(range(1, worker.seq))
        assert {p: transport.committed(p) for p in range(4)} == dict.fromkeys(range(4), 100)
        assert transport.trouble == ""
    assert stream.published() == Counter(range(400))


def test_many_faults_in_a_row_lose_and_double_nothing(stream: Stream, faults: list[str]) -> None:
    """The same transaction may fail again and again, each time in another way."""
    stream.produce(range(1_000))
    faults += ["before", "after", "late", "late", "expired", "none", "before", "late", "after"]
    with stream.joined() as transport:
        Worker(transport).run(1_000)
        assert not faults
    assert stream.published() == Counter(range(1_000))


def test_membership_is_kept_while_a_commit_is_settled(
    stream: Stream, faults: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `poll` returns meanwhile waits, and comes out afterwards, complete, in order."""
    stream.produce(range(2_000))
    faults += ["none", "before", "late"]
    with stream.joined() as transport:
        waiting: list[int] = []
        subscription = transport._open.subscription
        keep_alive = subscription.keep_alive

        def counted() -> None:
            keep_alive()
            waiting.append(sum(subscription._buffer.counts().values()))

        monkeypatch.setattr(subscription, "keep_alive", counted)
        Worker(transport).run(2_000, max_messages=250)
        assert max(waiting) > 0
    assert stream.published() == Counter(range(2_000))


def test_a_transaction_that_the_broker_timed_out_is_written_again(
    kafka_broker: RunningBroker,
    unique_name: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Being fenced by our own time-out is settled, not taken for another process."""
    stream = Stream(
        kafka_broker.bootstrap_servers,
        unique_name,
        settings={"transaction_timeout_ms": 1_000},
    )
    stream.produce(range(8))
    stall = [threading.Event()]

    class Stalling(WrappedProducer):
        def send_positions(
            self, topic: str, at: Mapping[int, int], group: ConsumerGroupMetadata
        ) -> None:
            if stall:
                stall.pop().wait(2.5)
            self.inner.send_positions(topic, at, group)

    wrap_producers(monkeypatch, Stalling)
    with stream.joined() as transport:
        Worker(transport).run(8)
        assert transport.num_settled >= 1
    assert stream.published() == Counter(range(8))


def test_a_commit_that_nobody_answers_ends(
    kafka_broker: RunningBroker, unique_name: Callable[[str], str]
) -> None:
    """kafka-python's own waits for ever, and its thread with it."""
    stream = Stream(
        kafka_broker.bootstrap_servers, unique_name, settings={"transaction_timeout_ms": 1_000}
    )
    with stream.opened() as transport:
        producer = transport._open.writer.new_producer()
        producer.begin_transaction()
        producer.send(
            [ProducerRecord(f"{stream.app}.scores", 0, OutputRecord("", None, b"1"))], 5.0
        )
        producer.discard()
        began = time.monotonic()
        with pytest.raises(errors.KafkaTimeoutError, match="did not answer"):
            producer.commit_transaction()
        assert time.monotonic() - began < 3.0
    assert stream.published() == Counter()


def test_an_abandoned_transaction_of_another_instance_is_waited_out(
    kafka_broker: RunningBroker, unique_name: Callable[[str], str]
) -> None:
    """What a worker that died in the middle had taken is taken by the other, once."""
    stream = Stream(
        kafka_broker.bootstrap_servers,
        unique_name,
        settings={"transaction_timeout_ms": 2_000},
    )
    stream.produce(range(400))
    dead = stream.transport(1)
    dead.open()
    dead.join()
    taken = Worker(dead, 1)
    while not taken.step():
        pass
    slices = dead.poll(100, 5.0)
    producer = dead._open.writer._producer
    assert producer is not None
    producer.begin_transaction()
    unseen = OutputRecord("scores", None, b"-1")
    producer.send(
        [ProducerRecord(f"{stream.app}.scores", s.partition, unseen) for s in slices], 5.0
    )
    group = dead._open.subscription.membership()
    assert group is not None
    producer.send_positions(stream.topic, {s.partition: s.stop for s in slices}, group)
    dead.close()  # without an abort: the broker must time the transaction out
    with stream.joined() as transport:
        Worker(transport).run(400 - 100)
    assert stream.published() == Counter(range(400))
