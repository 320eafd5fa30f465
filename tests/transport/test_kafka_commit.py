"""Commits on a real Kafka when something goes wrong."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest

from streamssl.events import OutputRecord
from streamssl.transport.base import FencedError
from streamssl.transport.kafka import outbox as outbox_module
from streamssl.transport.kafka.outbox import RecordTooLargeError
from streamssl.transport.kafka.source import offsets_of
from streamssl.transport.kafka.topics import RECORD_BYTES
from tests.conftest import RunningBroker
from tests.transport.kafka_stream import FaultyProducer, Stream, Worker, as_transaction

pytestmark = pytest.mark.kafka


@pytest.fixture
def stream(kafka_broker: RunningBroker, unique_name: Callable[[str], str]) -> Stream:
    return Stream(kafka_broker.bootstrap_servers, unique_name)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes wrong in the next transactions; see `FaultyProducer`."""
    planned: list[str] = []
    monkeypatch.setattr(FaultyProducer, "faults", planned)
    monkeypatch.setattr(outbox_module, "KafkaProducer", FaultyProducer)
    return planned


@pytest.mark.parametrize("fault", ["before", "after", "late", "expired"])
def test_a_doubtful_commit_is_settled_by_the_journal(
    stream: Stream, faults: list[str], fault: str
) -> None:
    """Landed or not, every result is seen once, and the receipt is the same as without doubt."""
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
    """What `poll` returns meanwhile is stashed, and comes out afterwards, complete, in order."""
    stream.produce(range(2_000))
    faults += ["none", "before", "late"]
    with stream.joined() as transport:
        pumped: list[int] = []
        source = transport._open.source
        pump = source.pump

        def counted() -> None:
            pump()
            pumped.append(source._stash.num_messages)

        monkeypatch.setattr(source, "pump", counted)
        Worker(transport).run(2_000, max_messages=250)
        assert max(pumped) > 0
    assert stream.published() == Counter(range(2_000))


def test_a_transaction_that_the_broker_timed_out_is_written_again(
    kafka_broker: RunningBroker,
    unique_name: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Being fenced by our own time-out is settled, not taken for another process."""
    stream = Stream(
        kafka_broker.bootstrap_servers, unique_name, settings={"transaction_timeout_ms": 1_000}
    )
    stream.produce(range(8))
    stall = [threading.Event()]

    class Stalling(FaultyProducer):
        def send_offsets_to_transaction(self, *args: object) -> None:
            if stall:
                stall.pop().wait(2.5)
            super().send_offsets_to_transaction(*args)

    monkeypatch.setattr(outbox_module, "KafkaProducer", Stalling)
    with stream.joined() as transport:
        Worker(transport).run(8)
        assert transport.num_settled >= 1
    assert stream.published() == Counter(range(8))


def test_a_process_that_was_replaced_ends_and_leaves_its_successor_alone(stream: Stream) -> None:
    """Even a zombie that had trouble before does not fence the process that has written since."""
    stream.produce(range(8))
    with stream.joined() as zombie:
        slices = zombie.poll(3, 5.0)
        with stream.joined() as successor:
            worker = Worker(successor)
            worker.run(8)
            zombie._patience.note(OSError("a frozen network"))
            with pytest.raises(FencedError, match="another process"):
                zombie.commit(as_transaction(slices, 1))
            stream.produce(range(8, 16))
            worker.run(8)
    assert stream.published() == Counter(range(16))


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


def test_an_abandoned_transaction_of_another_instance_is_waited_out(
    kafka_broker: RunningBroker, unique_name: Callable[[str], str]
) -> None:
    """What a worker that died in the middle had taken is taken by the other, once."""
    stream = Stream(
        kafka_broker.bootstrap_servers, unique_name, settings={"transaction_timeout_ms": 2_000}
    )
    stream.produce(range(400))
    dead = stream.transport(1)
    dead.open()
    dead.join()
    taken = Worker(dead, 1)
    while not taken.step():
        pass
    slices = dead.poll(100, 5.0)
    producer = dead._open.outbox._producer
    assert producer is not None
    producer.begin_transaction()
    for piece in slices:
        producer.send(f"{stream.app}.scores", b"-1", partition=piece.partition)
    producer.flush()
    positions = {piece.partition: piece.stop for piece in slices}
    group = dead._open.source.metadata()
    producer.send_offsets_to_transaction(offsets_of(stream.topic, positions), group)
    dead.close()  # without an abort: the broker must time the transaction out
    with stream.joined() as transport:
        Worker(transport).run(400 - 100)
    assert stream.published() == Counter(range(400))
