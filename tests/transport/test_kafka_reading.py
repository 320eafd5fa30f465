"""Reading from a real Kafka: compressed, damaged and forbidden input, where a group begins."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition, codec, errors
from kafka.record.default_records import DefaultRecordBatch

from streamssl.config.root import Config
from streamssl.config.sections import AppConfig, InputConfig
from streamssl.data.events import Message, OutputRecord
from streamssl.transport.base import TransportUnavailableError
from streamssl.transport.kafka import KafkaTransport, range_reader
from streamssl.transport.kafka.producer_record import ProducerRecord
from streamssl.transport.kafka.readonly import KafkaReadonly
from streamssl.transport.kafka.unreadable import TopicUnreadableError
from tests.conftest import RunningBroker
from tests.transport.kafka_stream import RawName, Stream, Worker, numbers

pytestmark = pytest.mark.kafka
CODECS = ("gzip", "snappy", "lz4", "zstd")


@pytest.fixture
def stream(kafka_broker: RunningBroker, unique_name: Callable[[str], str]) -> Stream:
    return Stream(kafka_broker.bootstrap_servers, unique_name)


def test_an_input_topic_may_be_compressed(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each of Kafka's codecs packed is scored, and can be read again for a recovery."""
    seen: set[int] = set()
    has_codec = DefaultRecordBatch._assert_has_codec

    def noted(batch: DefaultRecordBatch, kind: int) -> None:
        seen.add(kind)
        has_codec(batch, kind)

    monkeypatch.setattr(DefaultRecordBatch, "_assert_has_codec", noted)
    for part, name in enumerate(CODECS):
        _produce_packed(stream, name, range(100 * part, 100 * part + 100))
    with stream.joined() as transport:
        Worker(transport).run(400)
        again = transport.reread(0, 0, 100)
    assert stream.published() == Counter(range(400))
    assert numbers(again) == list(range(0, 400, 4))
    assert len(seen) == len(CODECS)


def test_a_header_name_that_is_no_text_stops_nothing(stream: Stream) -> None:
    """Headers are not needed: the message is scored, and can be read again for a recovery."""
    stream.num_partitions = 1  # all in partition 0
    stream.produce(range(3))
    with KafkaProducer(bootstrap_servers=stream.kafka.bootstrap_servers) as producer:
        headers = [(RawName(b"\xff\xfe"), b"x"), ("trace", b"y")]
        producer.send(stream.topic, b"3", partition=0, headers=headers)
        producer.flush()
    stream.produce(range(4, 6))
    with stream.joined() as transport:
        Worker(transport).run(6)
        assert numbers(transport.reread(0, 0, 6)) == list(range(6))
    assert stream.published() == Counter(range(6))


def test_an_unknown_codec_ends_the_process_with_the_remedy(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, with partition and offset, and not tried for ever."""
    stream.num_partitions = 1  # all in partition 0
    stream.produce(range(3))
    _produce_packed(stream, "gzip", range(3, 6))
    monkeypatch.setattr(codec, "has_gzip", lambda: False)
    with stream.joined() as transport:
        told = _fails(transport, TopicUnreadableError)
        assert f"{stream.topic}, partition 0, from offset 3" in told
        assert "install kafka-python[crc32c,lz4,snappy,zstd]" in told
        assert "Libraries for gzip" in told
        assert _fails(transport, TopicUnreadableError) == told  # a second poll ends too
        with pytest.raises(TopicUnreadableError, match="partition 0, from offset 3"):
            transport.reread(0, 1, 6)


def test_damaged_records_end_the_process_with_the_remedy(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch whose checksum is wrong is neither skipped nor tried for ever."""
    stream.num_partitions = 1
    stream.produce(range(3))
    monkeypatch.setattr(DefaultRecordBatch, "validate_crc", lambda _: False)
    with stream.joined() as transport:
        told = _fails(transport, TopicUnreadableError)
        assert f"{stream.topic}, partition 0, from offset 0" in told
        assert "crc" in told
        assert "kafka-delete-records.sh" in told
        with pytest.raises(TopicUnreadableError, match="kafka-delete-records"):
            transport.reread(0, 0, 3)


def test_a_log_that_lost_its_end_ends_the_process(stream: Stream) -> None:
    """After an unclean election other messages stand at our offsets: waiting mends nothing."""
    with stream.joined() as transport:
        _wait(lambda: not transport.poll(1, 0.1) and len(transport.assignment()) == 4)
        lost = {TopicPartition(stream.topic, 2): OffsetAndMetadata(7, "", 1)}
        consumer: Any = transport._open.subscription._consumer
        fetcher = consumer._consumer._fetcher
        fetcher._cached_log_truncation = errors.LogTruncationError(lost)
        told = _fails(transport, TopicUnreadableError)
        assert f"{stream.topic}, partition 2, from offset 7" in told
        assert "unclean.leader.election" in told


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (errors.TopicAuthorizationFailedError("events"), "may read the input topic"),
        (errors.GroupAuthorizationFailedError("app"), "use the consumer group"),
        (errors.InvalidSessionTimeoutError(), r"kafka\.session_timeout_ms"),
        (errors.InconsistentGroupProtocolError(), r"another app\.name"),
    ],
)
def test_a_refusal_while_running_is_told_with_its_remedy(
    stream: Stream, monkeypatch: pytest.MonkeyPatch, error: Exception, remedy: str
) -> None:
    """Rights that were taken away do not come back by asking again."""

    def refuse(*_: object) -> None:
        raise error

    with stream.joined() as transport:
        monkeypatch.setattr(transport._open.subscription._consumer, "poll", refuse)
        with pytest.raises(TransportUnavailableError, match=remedy):
            transport.poll(10, 0.5)


def test_start_latest_loses_nothing_between_the_start_and_the_first_commit(stream: Stream) -> None:
    """Where a group begins is committed before anything comes: the next process goes on there."""
    stream.produce(range(40))
    with stream.joined(start="latest") as transport:
        _wait(lambda: not transport.poll(10, 0.1) and len(transport.lag()) == 4)
        assert transport.lag() == dict.fromkeys(range(4), 0)
    stream.produce(range(40, 48))
    with stream.joined(start="latest") as transport:
        Worker(transport).run(8, limit_s=10)
        assert {p: transport.committed(p) for p in range(4)} == dict.fromkeys(range(4), 12)
    assert stream.published() == Counter(range(40, 48))


def test_a_poll_ends_in_time_while_a_partition_is_idle(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that never pauses does not keep what came waiting for a partition without any."""
    with stream.joined() as transport:
        _wait(lambda: not transport.poll(1, 0.1) and len(transport.assignment()) == 4)
        consumer, offsets = transport._open.subscription._consumer, itertools.count()

        def endless(*_: object) -> dict[int, list[Message]]:
            return {0: [Message(0, next(offsets), None, b"1")]}

        monkeypatch.setattr(consumer, "poll", endless)
        began = time.monotonic()
        (piece,) = transport.poll(100, 0.2)
        assert 0 < len(piece.payload) <= 100
        assert time.monotonic() - began < 0.5


def test_a_journal_is_read_beside_a_transaction_that_is_under_way(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a running daemon is about to write is waited for, not taken for expired."""
    monkeypatch.setattr(range_reader, "STALLED_S", 0.1)
    stream.produce(range(40))
    app, topic = AppConfig(name=stream.app), InputConfig(topic=stream.topic)
    config = Config(app=app, kafka=stream.kafka, input=topic)
    with stream.joined() as transport:
        worker = Worker(transport)
        worker.run(40)
        producer = transport._open.writer._producer
        assert producer is not None
        producer.begin_transaction()
        under_way = OutputRecord("journal", None, b"under way")
        producer.send([ProducerRecord(f"{stream.app}.journal", 0, under_way)], 5.0)
        ended = threading.Timer(1.0, producer._producer.abort_transaction)
        ended.start()
        began = time.monotonic()
        with KafkaReadonly(config) as readonly:
            records, _ = readonly.journal(0)
        ended.join()
        assert [record.seq for _, record in records] == list(range(1, worker.seq))
        assert time.monotonic() - began < 10.0


def _produce_packed(stream: Stream, name: str, numbers: range) -> None:
    """One message per number, spread over the partitions, in compressed batches."""
    with KafkaProducer(
        bootstrap_servers=stream.kafka.bootstrap_servers, compression_type=name, linger_ms=50
    ) as producer:
        for number in numbers:
            partition = number % stream.num_partitions
            # Zeros in front: what does not shrink is sent as it is.
            producer.send(stream.topic, f"{number:0>200}".encode(), partition=partition)
        producer.flush()


def _fails(transport: KafkaTransport, kind: type[Exception]) -> str:
    """What a poll of the next seconds fails with."""
    with pytest.raises(kind) as told:
        _wait(lambda: bool(transport.poll(1, 0.1) and False))
    return str(told.value)


def _wait(condition: Callable[[], bool], *, limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
