"""The memory broker's faults, which no other transport can be made to have on request."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamssl.transport.base import FencedError, TransportUnavailableError
from streamssl.transport.memory import MemoryBroker, MemoryTransport
from streamssl.transport.shares import equal_shares
from tests.transport.faulty_broker import CommitFault, SimulatedCrashError
from tests.transport.worlds import (
    MemoryWorld,
    count,
    for_subscribers,
    joined,
    take,
    transaction,
    values,
)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


@pytest.mark.parametrize("fault", ["lost_before", "lost_after"])
def test_a_lost_answer_is_settled_by_the_journal(world: MemoryWorld, fault: CommitFault) -> None:
    """Whether or not the transaction had landed, it is there once, and so is its record."""
    world.produce(0, range(3))
    world.broker.fail_commits(fault)
    with joined(world.transport()) as transport:
        whole = for_subscribers(transport, transaction(take(transport, 3)))
        receipt = transport.commit(whole)
        assert receipt.kept == {0}
        assert transport.journal(0)[0] == [(receipt.journal_position, whole.journal)]
    assert world.published(0) == ["scored-0", "scored-1", "scored-2"]


def test_a_partition_that_leaves_during_the_doubt_is_not_sent_again(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a loss, ranges whose incarnation has ended meanwhile belong to someone else."""
    world.produce(0, range(2))
    world.produce(1, range(2))
    with joined(world.transport()) as transport:
        whole = for_subscribers(transport, transaction(take(transport, 4)))
        world.broker.fail_commits("lost_before", "lost_before")
        mover = world.broker.init_transactions

        def move_and_go_on(*args: Any) -> int:
            world.broker.move("app", "events", 1, 0)
            return mover(*args)

        monkeypatch.setattr(world.broker, "init_transactions", move_and_go_on)
        assert transport.commit(whole).kept == {0}
        assert world.published(1) == []
        again = take(transport, 2)
        assert [v for piece in again for v in values(piece)] == [0, 1]
        assert again[0].incarnation > whole.parts[1].incarnation


@pytest.mark.parametrize(("fault", "seen"), [("crash_before", 0), ("crash_after", 2)])
def test_a_crash_at_the_commit_loses_and_doubles_nothing(
    world: MemoryWorld, fault: CommitFault, seen: int
) -> None:
    """The next process of the instance goes on where the group's position stands."""
    world.produce(0, range(4))
    dead = world.transport()
    dead.open()
    dead.join()
    world.broker.fail_commits(fault)
    with pytest.raises(SimulatedCrashError):
        dead.commit(for_subscribers(dead, transaction(take(dead, 2))))
    assert len(world.published(0)) == seen
    with joined(world.transport()) as transport:
        seq = len(transport.journal(0)[0]) + 1
        rest = take(transport, 4 - seen)
        transport.commit(for_subscribers(transport, transaction(rest, seq=seq)))
    assert world.published(0) == [f"scored-{value}" for value in range(4)]


def test_a_crashed_member_holds_its_partitions_until_it_is_expelled(world: MemoryWorld) -> None:
    """As on Kafka: the session time-out gives a dead member's partitions to the others."""
    dead = world.transport()
    dead.open()
    dead.join()
    world.produce(0, [7])
    with joined(world.transport(instance=1)) as other:
        assert set(other.assignment()) == {1} or set(other.assignment()) == {0}
        world.broker.expel("app", "events", 0)
        assert set(other.assignment()) == {0, 1}
        assert [v for piece in take(other, 1) for v in values(piece)] == [7]


def test_an_expelled_member_joins_again_in_its_next_poll(world: MemoryWorld) -> None:
    """A member that was only slow comes back with new incarnations."""
    with joined(world.transport()) as transport:
        before = dict(transport.assignment())
        world.broker.expel("app", "events", 0)
        assert transport.assignment() == {}
        transport.poll(1, 0.0)
        assert all(transport.assignment()[p] > before[p] for p in before)


def test_a_replaced_process_is_fenced_in_its_next_poll(world: MemoryWorld) -> None:
    """A zombie does not idle for ever."""
    zombie = world.transport()
    zombie.open()
    zombie.join()
    with joined(world.transport()), pytest.raises(FencedError, match=r"app\.instance"):
        zombie.poll(1, 0.0)


def test_a_zombie_is_fenced_from_the_moment_its_successor_opens(world: MemoryWorld) -> None:
    """The successor reads a final journal: nothing can be added behind its back."""
    world.produce(0, range(2))
    zombie = world.transport()
    zombie.open()
    zombie.join()
    stale = for_subscribers(zombie, transaction(take(zombie, 2)))
    world.transport().open()
    with pytest.raises(FencedError):
        zombie.commit(stale)
    assert world.published(0) == []


def test_a_partition_that_comes_back_begins_at_the_groups_position(world: MemoryWorld) -> None:
    """What was polled but not committed before the partition left is polled again."""
    world.produce(0, range(4))
    with joined(world.transport()) as transport:
        first = take(transport, 3)
        world.broker.move("app", "events", 0, 0)
        again = take(transport, 4)
    assert [v for piece in again for v in values(piece)] == [0, 1, 2, 3]
    assert again[0].incarnation == first[0].incarnation + 1


def test_holes_are_in_the_range_but_not_in_the_payload(world: MemoryWorld) -> None:
    """Offsets without a record, as transactions leave them, are stepped over."""
    world.produce(0, [1])
    world.broker.leave_hole("events", 0, 3)
    world.produce(0, [2])
    with joined(world.transport()) as transport:
        pieces = take(transport, 2)
        assert (pieces[0].start, pieces[-1].stop) == (0, 5)
        assert sum(map(count, pieces)) == 2
        assert values(transport.reread(0, 0, 5)) == [1, 2]


def test_expiry_of_everything_is_told_too(world: MemoryWorld) -> None:
    """A slice may hold nothing but the news of what is missing."""
    world.produce(0, range(5))
    world.expire(0, 5)
    with joined(world.transport()) as transport:
        world.broker.move("app", "events", 0, 0)
        assert transport.poll(10, 0.0) == []
        world.produce(0, range(3))
        take(transport, 1)
        world.expire(0, 8)
        (piece,) = transport.poll(10, 0.0)
    assert (piece.missed, piece.payload, piece.start, piece.stop) == ((6, 8), [], 8, 8)


def test_latest_begins_behind_what_was_there(world: MemoryWorld) -> None:
    """`input.start: latest` ignores the past of a group that never committed."""
    world.produce(0, range(5))
    transport = MemoryTransport(world.broker, topic="events", app="app", start="latest")
    with joined(transport):
        assert transport.poll(10, 0.0) == []
        world.produce(0, [99])
        assert values(take(transport, 1)[0]) == [99]


def test_a_broker_that_is_away_is_an_error_with_exit_code_3(world: MemoryWorld) -> None:
    """At start the user is told what cannot be reached."""
    world.broker.set_unavailable("no broker at localhost:9092")
    with pytest.raises(TransportUnavailableError, match="localhost:9092") as refused:
        world.transport().open()
    assert refused.value.exit_code == 3


def test_records_are_stamped_by_the_brokers_clock() -> None:
    """Latency can be measured from append to append."""
    broker = MemoryBroker(clock=lambda: 12.5)
    broker.produce("events", 0, b"x")
    assert broker.records("events")[0].timestamp_ms == 12_500


def test_producers_engine_and_reader_share_a_broker_from_threads() -> None:
    """Nothing is lost or doubled between threads, and a waiting poll wakes up."""
    world = MemoryWorld()
    producers = [
        threading.Thread(target=world.produce, args=(partition, range(500))) for partition in (0, 1)
    ]
    with joined(world.transport()) as transport:
        for producer in producers:
            producer.start()
        seq, left = 0, 1_000
        while left:
            pieces = transport.poll(64, 5.0)
            seq, left = seq + 1, left - sum(map(count, pieces))
            transport.commit(for_subscribers(transport, transaction(pieces, seq=seq)))
    for producer in producers:
        producer.join()
    for partition in (0, 1):
        assert world.published(partition) == [f"scored-{value}" for value in range(500)]


FAULTS = st.lists(
    st.sampled_from([None, "lost_before", "lost_after", "crash_before", "crash_after", "move"]),
    max_size=12,
)


@given(FAULTS)
def test_any_run_of_faults_publishes_every_message_once(faults: Sequence[str | None]) -> None:
    """Crash as data: lost answers, deaths and moved partitions lose and double nothing."""
    world = MemoryWorld()
    for partition in (0, 1):
        world.produce(partition, range(20))
    plan = list(faults)
    while not _run_until_crash(world, plan):
        pass
    for partition in (0, 1):
        assert world.published(partition) == [f"scored-{value}" for value in range(20)]


def _run_until_crash(world: MemoryWorld, plan: list[Any]) -> bool:
    transport = world.transport()
    transport.open()
    seq = len(transport.journal(0)[0])
    transport.join()
    while pieces := transport.poll(6, 0.0):
        fault = plan.pop(0) if plan else None
        if fault == "move":
            world.broker.move("app", "events", 0, 0)
        elif fault is not None:
            world.broker.fail_commits(fault)
        try:
            receipt = transport.commit(for_subscribers(transport, transaction(pieces, seq=seq + 1)))
        except SimulatedCrashError:
            return False
        seq += bool(receipt.kept)
    transport.close()
    return True


@given(
    st.dictionaries(st.integers(0, 9), st.integers(0, 50)),
    st.integers(0, 120),
    st.integers(0, 20),
)
def test_shares_are_equal_as_far_as_possible(
    waiting: dict[int, int], limit: int, turn: int
) -> None:
    """All that may be taken is, and nobody gets two more than one who still waits."""
    shares = equal_shares(waiting, limit, turn=turn)
    assert sum(shares.values()) == min(limit, sum(waiting.values()))
    assert all(0 <= shares[p] <= waiting[p] for p in waiting)
    hungry = [shares[p] for p in waiting if shares[p] < waiting[p]]
    assert not hungry or max(shares.values()) <= min(hungry) + 1


def test_a_remainder_goes_round() -> None:
    """Where fewer messages than partitions are asked for, all have their turn."""
    given_to = [equal_shares({0: 9, 1: 9, 2: 9}, 1, turn=turn) for turn in range(3)]
    assert [sum(shares[p] for shares in given_to) for p in range(3)] == [1, 1, 1]
