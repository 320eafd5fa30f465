"""Commits on a real Kafka when something goes wrong."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import pytest
from kafka import errors
from kafka.admin import ConfigResource

from streamssl.data.events import OutputRecord
from streamssl.transport.base import FencedError, TransportUnavailableError
from streamssl.transport.kafka.clients.base import Addressed, Membership, Sent
from streamssl.transport.kafka.connection import Connection
from streamssl.transport.kafka.outbox import RecordTooLargeError
from streamssl.transport.kafka.topics import RECORD_BYTES
from streamssl.transport.kafka.transport import KafkaTransport
from tests.conftest import RunningBroker
from tests.transport.kafka_stream import (
    FaultyProducer,
    Stream,
    Worker,
    WrappedProducer,
    as_transaction,
    wrap_producers,
)

pytestmark = pytest.mark.kafka


@pytest.fixture
def stream(kafka_broker: RunningBroker, unique_name: Callable[[str], str], client: str) -> Stream:
    return Stream(kafka_broker.bootstrap_servers, unique_name, settings={"client": client})


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes wrong in the next transactions; see `FaultyProducer`."""
    planned: list[str] = []
    monkeypatch.setattr(FaultyProducer, "faults", planned)
    wrap_producers(monkeypatch, FaultyProducer)
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
            pumped.append(sum(source._receiver.counts().values()))

        monkeypatch.setattr(source, "pump", counted)
        Worker(transport).run(2_000, max_messages=250)
        assert max(pumped) > 0
    assert stream.published() == Counter(range(2_000))


def test_a_transaction_that_the_broker_timed_out_is_written_again(
    kafka_broker: RunningBroker,
    unique_name: Callable[[str], str],
    client: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Being fenced by our own time-out is settled, not taken for another process."""
    stream = Stream(
        kafka_broker.bootstrap_servers,
        unique_name,
        settings={"client": client, "transaction_timeout_ms": 1_000},
    )
    stream.produce(range(8))
    stall = [threading.Event()]

    class Stalling(WrappedProducer):
        def send_positions(self, topic: str, at: Mapping[int, int], group: Membership) -> None:
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
        producer = transport._open.outbox.build()
        producer.begin_transaction()
        producer.send([Addressed(f"{stream.app}.scores", 0, OutputRecord("", None, b"1"))], 5.0)
        producer.discard()
        began = time.monotonic()
        with pytest.raises(errors.KafkaTimeoutError, match="did not answer"):
            producer.commit_transaction()
        assert time.monotonic() - began < 3.0
    assert stream.published() == Counter()


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


def test_a_replaced_process_that_closes_first_leaves_its_successor_in_the_group(
    stream: Stream,
) -> None:
    """The successor has taken the name over: it is not the old process's to remove."""
    stream.produce(range(8))
    zombie = stream.transport()
    zombie.open()
    zombie.join()
    slices = zombie.poll(3, 5.0)
    with stream.joined() as successor:
        worker = Worker(successor)
        worker.run(8)
        held = successor.assignment()
        with pytest.raises(FencedError):
            zombie.commit(as_transaction(slices, 1))
        zombie.close()
        until = time.monotonic() + 2.5  # longer than two heartbeats
        while time.monotonic() < until:
            successor.poll(1, 0.1)
        assert successor.assignment() == held
        stream.produce(range(8, 16))
        worker.run(8)
    assert stream.published() == Counter(range(16))


def test_a_start_that_fails_removes_nobody_from_the_group(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never joined, so that the name in the group belongs to another process."""
    stream.produce(range(8))
    with stream.joined(mode="at_least_once") as running:
        Worker(running).run(8)
        held = running.assignment()
        second = stream.transport(mode="at_least_once")
        monkeypatch.setattr(Connection, "_new_reader", _refuse)
        with pytest.raises(TransportUnavailableError):
            second.open()
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            running.poll(1, 0.1)
        assert running.assignment() == held


def test_a_thawed_process_does_not_fence_the_one_in_its_place(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first error may say nothing of a fence: it looks into the group before it fences back."""
    stream.produce(range(8))
    with stream.joined() as zombie:
        slices = zombie.poll(3, 5.0)
        with stream.joined() as successor:
            worker = Worker(successor)
            taken = successor.poll(4, 10.0)
            assert taken
            write = zombie._open.outbox.write

            def time_out_once(*_: object) -> int:
                monkeypatch.setattr(zombie._open.outbox, "write", write)
                raise errors.KafkaTimeoutError("thawed in a test")

            monkeypatch.setattr(zombie._open.outbox, "write", time_out_once)
            with pytest.raises(FencedError, match="joined the group"):
                zombie.commit(as_transaction(slices, 1))
            landed = sum(len(piece.payload) for piece in taken)
            assert worker.commit(taken).kept
            worker.run(8 - landed)
    assert stream.published() == Counter(range(8))


def test_a_process_that_joins_anew_while_it_commits_is_not_taken_for_another(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the group, what it sends under its old id then comes from a member that was replaced."""
    stream.produce(range(8))
    with stream.joined() as transport:
        source, outbox = transport._open.source, transport._open.outbox
        worker, write = Worker(transport), transport._open.outbox.write

        def join_anew_first(*arguments: object) -> int:
            monkeypatch.setattr(outbox, "write", write)
            _expel(transport)
            old = arguments[-1]
            assert isinstance(old, Membership)
            until = time.monotonic() + 20.0
            while (now := source.membership()) is None or now.member_id == old.member_id:
                assert time.monotonic() < until, "it does not join again"
                time.sleep(0.05)
            return write(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(outbox, "write", join_anew_first)
        worker.run(8)
        stream.produce(range(8, 16))
        worker.run(8)
    assert stream.published() == Counter(range(16))


def _expel(transport: KafkaTransport) -> None:
    committer = transport._open.committer
    app, member = committer._app, committer._member
    committer._admin.remove_member(app, member, transport._open.source.member_id())


@pytest.mark.parametrize("mode", ["exactly_once", "at_least_once"])
def test_a_limit_that_was_lowered_is_told(
    kafka_broker: RunningBroker,
    unique_name: Callable[[str], str],
    client: str,
    mode: Literal["exactly_once", "at_least_once"],
) -> None:
    """The broker refuses for good what it took at the start: an error, not an endless wait."""
    stream = Stream(
        kafka_broker.bootstrap_servers,
        unique_name,
        settings={"client": client, "transaction_timeout_ms": 2_000},
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
        def send(self, records: Sequence[Addressed], _: float) -> list[Sent]:
            return [refusal] * len(records)

    wrap_producers(monkeypatch, Refused)
    stream.produce(range(8))
    with (
        stream.joined(mode=mode) as transport,
        pytest.raises(TransportUnavailableError, match="write the output topics"),
    ):
        Worker(transport).run(8)


def _refuse(*_: object) -> None:
    raise TransportUnavailableError("refused in a test")


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
    kafka_broker: RunningBroker, unique_name: Callable[[str], str], client: str
) -> None:
    """What a worker that died in the middle had taken is taken by the other, once."""
    stream = Stream(
        kafka_broker.bootstrap_servers,
        unique_name,
        settings={"client": client, "transaction_timeout_ms": 2_000},
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
    unseen = OutputRecord("scores", None, b"-1")
    producer.send([Addressed(f"{stream.app}.scores", s.partition, unseen) for s in slices], 5.0)
    group = dead._open.source.membership()
    assert group is not None
    producer.send_positions(stream.topic, {s.partition: s.stop for s in slices}, group)
    dead.close()  # without an abort: the broker must time the transaction out
    with stream.joined() as transport:
        Worker(transport).run(400 - 100)
    assert stream.published() == Counter(range(400))


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
