"""What a real Kafka refuses for good is told with its remedy."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Literal

import pytest
from kafka import errors
from kafka.admin import ConfigResource

from streamssl.data.events import OutputRecord
from streamssl.transport.base import TransportUnavailableError
from streamssl.transport.kafka.failures import RecordTooLargeError
from streamssl.transport.kafka.producer_record import ProducerRecord, SendOutcome
from streamssl.transport.kafka.topics import RECORD_BYTES
from tests.conftest import RunningBroker
from tests.transport.kafka_stream import (
    Stream,
    Worker,
    WrappedProducer,
    as_transaction,
    wrap_producers,
)

pytestmark = pytest.mark.kafka


@pytest.fixture
def stream(kafka_broker: RunningBroker, unique_name: Callable[[str], str]) -> Stream:
    return Stream(kafka_broker.bootstrap_servers, unique_name)


@pytest.mark.parametrize("mode", ["exactly_once", "at_least_once"])
def test_a_limit_that_was_lowered_is_told(
    kafka_broker: RunningBroker,
    unique_name: Callable[[str], str],
    mode: Literal["exactly_once", "at_least_once"],
) -> None:
    """The broker refuses for good what it took at the start: an error, not an endless wait."""
    stream = Stream(
        kafka_broker.bootstrap_servers,
        unique_name,
        settings={"transaction_timeout_ms": 2_000},
    )
    stream.produce(range(8))
    with stream.joined(mode=mode) as transport:
        lowered = ConfigResource("TOPIC", f"{stream.app}.scores", {"max.message.bytes": "300"})
        transport._open.admin.client.alter_configs([lowered])
        whole = as_transaction(transport.poll(1, 10.0), 1)
        (part,) = whole.parts.values()
        part.records.append(OutputRecord("scores", None, random.Random(0).randbytes(5_000)))
        with pytest.raises(RecordTooLargeError, match=r"max\.message\.bytes"):
            transport.commit(whole)
        assert transport.journal(0)[0] == []
    assert len(stream.published()) <= (mode == "at_least_once")  # the other record is small


@pytest.mark.parametrize("mode", ["exactly_once", "at_least_once"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_right_that_was_revoked_is_told(
    stream: Stream,
    monkeypatch: pytest.MonkeyPatch,
    mode: Literal["exactly_once", "at_least_once"],
    wrapped: bool,
) -> None:
    """Waiting does not give it back: the error names the rights that are needed."""
    refusal: errors.KafkaError = errors.TopicAuthorizationFailedError("scores")
    if wrapped:
        refusal = errors.KafkaError("Cannot perform the send", refusal)

    class Refused(WrappedProducer):
        def send(self, records: Sequence[ProducerRecord], _: float) -> list[SendOutcome]:
            return [refusal] * len(records)

    wrap_producers(monkeypatch, Refused)
    stream.produce(range(8))
    with (
        stream.joined(mode=mode) as transport,
        pytest.raises(TransportUnavailableError, match="write the output topics"),
    ):
        Worker(transport).run(8)


def test_a_record_over_the_limit_is_told_and_poisons_nothing(stream: Stream) -> None:
    """The error names topic, size and remedy; the next transaction lands."""
    stream.produce(range(4))
    with stream.joined() as transport:
        worker = Worker(transport)
        slices = transport.poll(4, 10.0)
        whole = as_transaction(slices, 1)
        huge = OutputRecord("scores", None, bytes(RECORD_BYTES + 1))
        part = whole.parts[slices[0].partition]
        part.records.append(huge)
        with pytest.raises(RecordTooLargeError, match=r"max\.message\.bytes"):
            transport.commit(whole)
        part.records.remove(huge)
        part.records.append(OutputRecord("dlq", None, bytes(RECORD_BYTES - 1_000)))
        assert transport.commit(whole).kept == set(whole.parts)
        worker.seq += 1
    assert sum(stream.published().values()) == sum(len(s.payload) for s in slices)


def test_records_that_fit_are_not_refused_for_their_company(stream: Stream) -> None:
    """A topic may take little at once: what fits alone must land together with others like it."""
    stream.produce(range(8))
    with stream.opened() as transport:
        lowered = ConfigResource("TOPIC", f"{stream.app}.scores", {"max.message.bytes": "2000"})
        transport._open.admin.client.alter_configs([lowered])
    with stream.joined() as transport:
        whole = as_transaction(transport.poll(1, 10.0), 1)
        (part,) = whole.parts.values()
        part.records[:] = [OutputRecord("scores", None, b"7" * 900)] * 50
        assert transport.commit(whole).kept == set(whole.parts)
    assert stream.published().total() == 50
