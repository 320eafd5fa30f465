"""The consumer on a real Kafka: group, positions, back-pressure."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

import pytest
from kafka.admin import MemberToRemove

from streamssl.data.events import Slice
from streamssl.devkit.clients import TopicWriter
from streamssl.transport.base import TransportUnavailableError
from streamssl.transport.kafka import KafkaTransport, fetch_buffer
from tests.conftest import RunningBroker
from tests.transport.kafka_stream import Stream, Worker, numbers

pytestmark = pytest.mark.kafka


@pytest.fixture
def stream(kafka_broker: RunningBroker, unique_name: Callable[[str], str]) -> Stream:
    return Stream(kafka_broker.bootstrap_servers, unique_name)


def test_two_workers_lose_and_double_nothing_while_partitions_move(stream: Stream) -> None:
    """A second worker joins in the middle and leaves again; every result is seen once."""
    stop = threading.Event()
    failures: list[BaseException] = []
    landed = Counter[int]()

    def work(instance: int, leave_after: float) -> None:
        try:
            with stream.joined(instance) as transport:
                worker = Worker(transport, instance)
                while not stop.is_set() and landed[instance] < leave_after:
                    landed[instance] += worker.step(60, 0.1)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=(0, float("inf")), daemon=True),
        threading.Thread(target=work, args=(1, 300), daemon=True),
    ]
    threads[0].start()
    total = _produce_until(stream, lambda: landed[0] > 100)
    threads[1].start()
    total = _produce_until(stream, lambda: landed[1] >= 300 or bool(failures), total)
    try:
        _wait(lambda: bool(failures) or landed.total() >= total, limit_s=30)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert not failures
    assert stream.published() == Counter(range(total))


def test_a_planned_stop_moves_partitions_at_once(stream: Stream) -> None:
    """The static member is removed, so the others need not wait for its session to time out."""
    stream.produce(range(40))
    with stream.joined(0) as first, stream.joined(1) as second:
        _wait(lambda: _poll_both(first, second) and len(first.assignment()) == 2)
        began = time.monotonic()
        second.close()
        _wait(lambda: bool(first.poll(1, 0.05) or True) and len(first.assignment()) == 4)
        assert time.monotonic() - began < 6.0  # the session time-out is 10 s


def test_a_rebalance_that_ends_between_two_polls_is_not_begun_again(stream: Stream) -> None:
    """Short polls with work between them settle; the client alone would rebalance for ever."""
    stream.produce(range(40))
    with stream.joined(0) as leader:
        _wait(lambda: bool(leader.poll(1, 0.05) or True) and len(leader.assignment()) == 4)
        with stream.joined(1) as other:
            _wait(lambda: _poll_both(leader, other) and len(other.assignment()) == 2, limit_s=8)
            assert sorted({*leader.assignment(), *other.assignment()}) == [0, 1, 2, 3]


def test_everything_is_read_under_back_pressure(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small polls and a full buffer lose no partition, as `pause()` would; it is bounded."""
    monkeypatch.setattr(fetch_buffer, "MAX_MESSAGES", 300)
    total = 20_000
    stream.produce(range(total))
    seen: list[int] = []
    with stream.joined() as transport:
        subscription = transport._open.subscription
        deadline = time.monotonic() + 40
        while len(seen) < total and time.monotonic() < deadline:
            for piece in transport.poll(400, 0.2):
                assert piece.partition in transport.assignment()
                seen += numbers(piece)
            for _ in range(3 * (len(seen) < 4_000)):
                subscription.keep_alive()  # as while a commit is being settled
            waiting = sum(subscription._buffer.counts().values())
            assert waiting < 300 + 400 + fetch_buffer.KEEP_ALIVE_MESSAGES
    assert Counter(seen) == Counter(range(total))
    for partition in range(4):
        own = [n for n in seen if n % 4 == partition]
        assert own == sorted(own)


def test_start_latest_skips_what_was_there(stream: Stream) -> None:
    """A group without committed positions begins at the end where the configuration says so."""
    stream.produce(range(40))
    with stream.joined(start="latest") as transport:
        _wait(lambda: not transport.poll(10, 0.1) and len(transport.assignment()) == 4)
        _wait(lambda: transport.lag() == dict.fromkeys(range(4), 0) or bool(transport.poll(1, 0.1)))
        stream.produce(range(40, 48))
        Worker(transport).run(8)
    assert stream.published() == Counter(range(40, 48))


def test_a_position_beyond_the_end_is_told(stream: Stream) -> None:
    """A topic that was made anew is not silently read from somewhere."""
    stream.produce(range(40))
    with stream.joined() as transport:
        _wait(lambda: bool(transport.poll(1, 0.1)))
        transport._open.subscription.commit(dict.fromkeys(range(4), 1_000))
    with (
        stream.joined() as transport,
        pytest.raises(TransportUnavailableError, match="made anew"),
    ):
        _wait(lambda: bool(transport.poll(1, 0.1)))


def test_an_idle_poll_waits_no_longer_than_asked(stream: Stream) -> None:
    """No messages: an empty list after about the time-out, and nothing is wrong."""
    with stream.joined() as transport:
        _wait(lambda: not transport.poll(1, 0.1) and len(transport.assignment()) == 4)
        began = time.monotonic()
        assert transport.poll(10, 0.3) == []
        assert 0.2 < time.monotonic() - began < 2.0
        assert transport.trouble == ""


def _produce_until(stream: Stream, condition: Callable[[], bool], first: int = 0) -> int:
    """Keep the stream going; the number after the last one produced."""
    deadline = time.monotonic() + 30
    with TopicWriter(stream.kafka, stream.topic) as writer:
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            for number in range(first, first + 80):
                writer.send(str(number).encode(), partition=number % 4)
            first += 80
            time.sleep(0.05)
        writer.flush()
    return first


def _poll_both(first: object, second: object) -> bool:
    for transport in (first, second):
        transport.poll(1, 0.05)  # type: ignore[attr-defined]
    return True


def _wait(condition: Callable[[], bool], *, limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.parametrize("mode", ["exactly_once", "at_least_once"])
@pytest.mark.parametrize("taken_again", [False, True])
def test_a_lost_session_keeps_the_transaction_in_hand(
    stream: Stream, mode: Literal["exactly_once", "at_least_once"], taken_again: bool
) -> None:
    """The group forgot us and nobody else went on: what was taken lands, and nothing twice."""
    stream.produce(range(400))
    with stream.joined(mode=mode) as transport:
        worker = Worker(transport)
        worker.run(100)
        slices = _take_of_all(transport, 80)
        before = transport.assignment()
        _expel(transport)
        if taken_again:  # the same messages again, before the commit
            _wait(lambda: bool(transport.poll(10, 0.1)) and transport.assignment() != before)
        assert worker.commit(slices).kept == {0, 1, 2, 3}
        assert all(transport.assignment()[p] > before[p] for p in before)
        worker.run(300 - sum(len(piece.payload) for piece in slices))
        assert [transport.committed(p) for p in range(4)] == [100] * 4
    assert stream.published() == Counter(range(400))


def test_what_another_worker_took_while_the_session_was_lost_is_dropped(stream: Stream) -> None:
    """The group's position has moved on: landing the old range would double its results."""
    stream.produce(range(80))
    with stream.joined(0) as away:
        worker = Worker(away)
        slices = _take_of_all(away, 40)
        _expel(away)
        with stream.joined(1) as other:
            Worker(other, 1).run(80)
        assert worker.commit(slices).kept == set()
        stream.produce(range(80, 120))
        worker.run(40)
    assert stream.published() == Counter(range(120))


def test_a_session_lost_within_a_rebalance_is_noticed(stream: Stream) -> None:
    """kafka-python itself says nothing then, and a partition would pass for held all the time."""
    stream.produce(range(80))
    with stream.joined(0) as away:
        worker = Worker(away)
        slices = _take_of_all(away, 40)
        held, coordinator = away.assignment(), _python(away)._coordinator
        coordinator.rejoining = True  # as in the middle of a rebalance
        coordinator.request_rejoin()
        _expel(away)
        with stream.joined(1) as other:
            Worker(other, 1).run(80)
        _wait(lambda: not away.poll(1, 0.1) and len(away.assignment()) == 4)
        assert all(away.assignment()[p] > held[p] for p in held)
        assert worker.commit(slices).kept == set()
        stream.produce(range(80, 120))
        worker.run(40)
    assert stream.published() == Counter(range(120))


def _expel(transport: KafkaTransport) -> None:
    """What the broker does when a session times out."""
    transport._open.admin.client.remove_group_members(
        transport._open._app, [MemberToRemove(group_instance_id=transport._open._member)]
    )


def _python(transport: KafkaTransport) -> Any:
    """kafka-python's own consumer."""
    return transport._open.subscription._consumer._consumer


def _take_of_all(transport: KafkaTransport, num_messages: int) -> list[Slice]:
    """One slice of every partition, the first ones of a new transaction."""
    buffer = transport._open.subscription._buffer

    def filled() -> bool:
        buffer.fill(1, 0.2)
        return len(buffer.counts()) == 4

    _wait(filled)
    slices = transport.poll(num_messages, 1.0)
    assert len(slices) == 4
    return slices
