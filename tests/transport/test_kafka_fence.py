"""Transactions whose end the broker has lost (KIP-664), as a hard restart can leave them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition, errors
from kafka.admin import ConfigResource

from streamssl.transport.base import TransportUnavailableError
from streamssl.transport.kafka.security import client_settings
from tests.conftest import RunningBroker
from tests.transport.kafka_stream import Stream, Worker

pytestmark = pytest.mark.kafka


@pytest.fixture
def stream(kafka_broker: RunningBroker, unique_name: Callable[[str], str]) -> Stream:
    return Stream(kafka_broker.bootstrap_servers, unique_name)


@pytest.fixture
def unverified(stream: Stream) -> Iterator[None]:
    """The broker takes transactional records for partitions that its coordinator knows nothing of.

    It then never ends their transaction: what a restart with partitions that have no leader does
    by itself, now and then.
    """
    admin = KafkaAdminClient(**client_settings(stream.kafka))
    brokers = [str(broker["broker_id"]) for broker in admin.describe_cluster()["brokers"]]

    def verify(value: str) -> None:
        setting = {"transaction.partition.verification.enable": value}
        admin.alter_configs([ConfigResource("BROKER", b, configs=setting) for b in brokers])

    verify("false")
    yield
    verify("true")
    admin.close()


def _publish(stream: Stream, num_messages: int) -> None:
    """A first process, which ends in order."""
    stream.produce(range(num_messages))
    with stream.joined() as transport:
        Worker(transport).run(num_messages)


def _hang(stream: Stream, *, committed: bool, hidden: dict[str, bytes]) -> None:
    """One transaction of instance 0 that has an end in partition 0 only, not in `hidden`."""
    settings = client_settings(stream.kafka)
    producer = KafkaProducer(**settings, transactional_id=f"{stream.app}-0", acks="all")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(f"{stream.app}.embeddings", b"with an end", partition=0)
    producer.flush()
    manager = producer._transaction_manager
    manager.maybe_add_partition_to_transaction = manager._partitions_in_transaction.add
    for place, value in hidden.items():
        topic, partition = place.rsplit("/")
        producer.send(f"{stream.app}.{topic}", value, partition=int(partition))
    producer.flush()
    if committed:
        producer.commit_transaction()
    else:
        producer.abort_transaction()
    producer.close()


@pytest.mark.usefixtures("unverified")
def test_an_aborted_transaction_that_hangs_is_aborted(stream: Stream) -> None:
    """Its records neither hide what follows nor come out with the next commit."""
    _publish(stream, 40)
    _hang(stream, committed=False, hidden={"scores/1": b"999", "journal/0": b"{}"})
    stream.produce(range(40, 80))
    with stream.opened() as transport:
        records, _ = transport.journal(0)
        transport.join()
        worker = Worker(transport)
        worker.seq = len(records) + 1
        worker.run(40)
    assert stream.published() == Counter(range(80))


@pytest.mark.usefixtures("unverified")
def test_a_committed_transaction_that_hangs_is_committed(stream: Stream) -> None:
    """The broker had decided: what one partition shows, all of them show."""
    _publish(stream, 40)
    _hang(stream, committed=True, hidden={"scores/1": b"41", "scores/3": b"43"})
    with stream.opened():
        pass
    assert stream.published() == Counter([*range(40), 41, 43])


@pytest.mark.usefixtures("unverified")
def test_a_transaction_that_hangs_is_told_where_it_may_not_be_ended(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing on would publish what was aborted."""

    def refuse(*_: Any) -> None:
        raise errors.ClusterAuthorizationFailedError("refused in a test")

    with stream.opened():
        pass
    _hang(stream, committed=False, hidden={"scores/1": b"999"})
    monkeypatch.setattr(
        KafkaAdminClient, "_abort_transaction_process_response", staticmethod(refuse)
    )
    with pytest.raises(TransportUnavailableError, match=r"scores/1.*kafka-transactions\.sh"):
        stream.transport().open()


def test_without_the_right_to_look_it_says_so_and_goes_on(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A user needs no more rights than before."""
    stream.produce(range(8))
    with stream.opened():
        pass

    def refuse(_: KafkaAdminClient, tps: list[TopicPartition]) -> None:
        raise errors.TopicAuthorizationFailedError(tps[0].topic)

    monkeypatch.setattr(KafkaAdminClient, "describe_producers", refuse)
    with caplog.at_level(logging.WARNING), stream.joined() as transport:
        Worker(transport).run(8)
    assert f"in the topic {stream.app}.scores" in caplog.text
    assert stream.published() == Counter(range(8))
