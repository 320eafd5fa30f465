"""Two processes of one instance on a real Kafka: the older one ends, and harms nobody."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest
from kafka import ConsumerGroupMetadata, errors

from streamssl.transport.base import FencedError, TransportUnavailableError
from streamssl.transport.kafka.connection import Connection
from streamssl.transport.kafka.transport import KafkaTransport
from tests.conftest import RunningBroker
from tests.transport.kafka_stream import (
    Stream,
    Worker,
    as_transaction,
)

pytestmark = pytest.mark.kafka


@pytest.fixture
def stream(kafka_broker: RunningBroker, unique_name: Callable[[str], str]) -> Stream:
    return Stream(kafka_broker.bootstrap_servers, unique_name)


def test_a_process_that_was_replaced_ends_and_leaves_its_successor_alone(stream: Stream) -> None:
    """Even a zombie that met a failure before does not fence the process that has written since."""
    stream.produce(range(8))
    with stream.joined() as zombie:
        slices = zombie.poll(3, 5.0)
        with stream.joined() as successor:
            worker = Worker(successor)
            worker.run(8)
            zombie._retry_policy.record_failure(OSError("a frozen network"))
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
            write = zombie._open.writer.write_transaction

            def time_out_once(*_: object) -> int:
                monkeypatch.setattr(zombie._open.writer, "write_transaction", write)
                raise errors.KafkaTimeoutError("thawed in a test")

            monkeypatch.setattr(zombie._open.writer, "write_transaction", time_out_once)
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
        subscription, writer = transport._open.subscription, transport._open.writer
        worker, write = Worker(transport), writer.write_transaction

        def join_anew_first(*arguments: object) -> int:
            monkeypatch.setattr(writer, "write_transaction", write)
            _expel(transport)
            old = arguments[-1]
            assert isinstance(old, ConsumerGroupMetadata)
            until = time.monotonic() + 20.0
            while (now := subscription.membership()) is None or now.member_id == old.member_id:
                assert time.monotonic() < until, "it does not join again"
                time.sleep(0.05)
            return write(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(writer, "write_transaction", join_anew_first)
        worker.run(8)
        stream.produce(range(8, 16))
        worker.run(8)
    assert stream.published() == Counter(range(16))


def _expel(transport: KafkaTransport) -> None:
    committer = transport._open.committer
    app, member = committer._app, committer._member
    committer._admin.remove_member(app, member, transport._open.subscription.member_id())


def _refuse(*_: object) -> None:
    raise TransportUnavailableError("refused in a test")
