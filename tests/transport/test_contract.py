"""What every transport promises, tested on every transport that can keep the clause.

- `worlds`: all of them.
- `streams`: memory and Kafka. A file has one partition that nobody else can
  take and that never expires, and its replay begins anew each time instead of resuming, so that
  the clauses on groups, fencing, expiry and resumption cannot be broken there. What a file promises
  instead (nothing is seen of an unfinished replay) is tested in `test_files.py`.

A lost acknowledgement is provoked in `test_memory.py` and, on a real broker, in
`test_kafka_commit.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from streamssl.data.events import Slice
from streamssl.transport.base import FencedError, InputExpiredError, Transaction, Transport
from streamssl.transport.files import FileTransport
from tests.transport.worlds import (
    FileWorld,
    KafkaWorld,
    MemoryWorld,
    World,
    count,
    for_subscribers,
    joined,
    message_values,
    take,
    transaction,
    values,
)

KAFKA = pytest.param("kafka", marks=pytest.mark.kafka)
STREAMS = ["memory", KAFKA]


@pytest.fixture(params=["memory", "files", KAFKA])
def world(
    request: pytest.FixtureRequest, tmp_path: Path, unique_name: Callable[[str], str]
) -> Iterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
    elif request.param == "files":
        yield FileWorld(tmp_path)
    else:
        broker = request.getfixturevalue("kafka_broker")
        kafka = KafkaWorld(broker.bootstrap_servers, unique_name)
        yield kafka
        kafka.close()


streams = pytest.mark.parametrize("world", STREAMS, indirect=True)


def test_polls_give_every_message_once_in_order(world: World) -> None:
    """Slices of one incarnation join without gap, and hold each message once, in order."""
    world.produce(0, range(50))
    with joined(world.transport()) as transport:
        pieces = take(transport, 20) + take(transport, 30)
    assert [v for piece in pieces for v in values(piece)] == list(range(50))
    assert pieces[0].start == 0
    assert all(a.stop == b.start for a, b in pairwise(pieces))
    assert {piece.incarnation for piece in pieces} == {pieces[0].incarnation}
    assert pieces[0].incarnation >= 1


def test_a_poll_takes_no_more_than_asked(world: World) -> None:
    """`max_messages` is a bound, and an idle poll is an empty list."""
    world.produce(0, range(10))
    with joined(world.transport()) as transport:
        assert sum(map(count, take(transport, 4))) == 4
        assert sum(map(count, take(transport, 100, timeout_s=2.0))) == 6
        assert transport.poll(100, 0.05) == []


def test_the_receipt_names_what_landed(world: World) -> None:
    """A commit keeps every partition held and moves the journal and the group's position."""
    world.produce(0, range(5))
    with joined(world.transport()) as transport:
        assert transport.committed(0) is None
        first = transport.commit(for_subscribers(transport, transaction(take(transport, 3))))
        assert transport.committed(0) == 3
        rest = take(transport, 2)
        second = transport.commit(for_subscribers(transport, transaction(rest, seq=2)))
        assert transport.committed(0) == 5
        assert transport.lag() == dict.fromkeys(transport.assignment(), 0)
    assert first.kept == second.kept == {0}
    assert second.journal_position > first.journal_position


def test_nothing_is_seen_before_the_commit_and_all_of_it_after(world: World) -> None:
    """Outputs of a transaction appear together, and only when it has landed."""
    world.produce(0, range(8))
    with joined(world.transport()) as transport:
        whole = for_subscribers(transport, transaction(take(transport, 8)))
        assert world.published(0) == []
        transport.commit(whole)
    assert world.published(0) == [f"scored-{value}" for value in range(8)]


def test_the_journal_comes_back_in_order_with_positions(world: World) -> None:
    """Each record has the position after it, from which the later ones can be read."""
    world.produce(0, range(9))
    with joined(world.transport()) as transport:
        _, oldest = transport.journal(0)
        written = [transaction(take(transport, 3), seq=seq) for seq in (1, 2, 3)]
        receipts = [transport.commit(for_subscribers(transport, t)) for t in written]
        records, _ = transport.journal(oldest)
        assert [record for _, record in records] == [t.journal for t in written]
        assert [position for position, _ in records] == [r.journal_position for r in receipts]
        later, _ = transport.journal(records[0][0])
        assert [record.seq for _, record in later] == [2, 3]


def test_a_record_without_input_lands_too(world: World) -> None:
    """A transaction may hold decisions only."""
    world.produce(0, range(2))
    with joined(world.transport()) as transport:
        take(transport, 2)
        _, oldest = transport.journal(0)
        alone = transaction([])
        receipt = transport.commit(alone)
        assert receipt.kept == frozenset()
        assert transport.journal(oldest)[0] == [(receipt.journal_position, alone.journal)]


def test_reread_gives_what_was_polled(world: World) -> None:
    """Any range can be had again, byte for byte, without moving anything."""
    world.produce(0, range(40))
    with joined(world.transport()) as transport:
        pieces = take(transport, 30)
        again = transport.reread(0, 5, 25)
        assert (again.start, again.stop, again.incarnation) == (5, 25, 0)
        assert values(again) == list(range(5, 25))
        if isinstance(again.payload, pa.RecordBatch):
            polled = pa.concat_batches([piece.payload for piece in pieces])
            assert again.payload.equals(polled.slice(5, 20))
        else:
            messages = [m for piece in pieces for m in piece.payload if 5 <= m.offset < 25]
            assert message_values(again.payload) == message_values(messages)
        assert count(transport.reread(0, 7, 7)) == 0
        assert [v for piece in take(transport, 10) for v in values(piece)] == list(range(30, 40))


def test_only_a_file_ends(world: World) -> None:
    """A stream is never exhausted; a file is when its last row was polled."""
    world.produce(0, range(3))
    with joined(world.transport()) as transport:
        assert not transport.exhausted()
        take(transport, 3)
        assert transport.exhausted() == isinstance(transport, FileTransport)


def test_closing_twice_is_harmless(world: World) -> None:
    """A planned stop may meet a failed one."""
    world.produce(0, range(3))
    with joined(world.transport()) as transport:
        transport.close()
    with joined(world.transport()) as again:
        assert again.beginning(0) == 0


@streams
def test_a_restart_goes_on_after_what_was_committed(world: World) -> None:
    """Positions resume after the commit, not after the poll."""
    world.produce(0, range(10))
    with joined(world.transport()) as transport:
        transport.commit(for_subscribers(transport, transaction(take(transport, 4))))
        assert sum(map(count, take(transport, 6))) == 6
    with joined(world.transport()) as transport:
        assert transport.committed(0) == 4
        pieces = take(transport, 6)
    assert [v for piece in pieces for v in values(piece)] == list(range(4, 10))
    assert world.published(0) == [f"scored-{value}" for value in range(4)]


@streams
def test_the_journal_survives_a_restart(world: World) -> None:
    """The next process of the instance reads what the one before wrote."""
    world.produce(0, range(2))
    with joined(world.transport()) as transport:
        written = for_subscribers(transport, transaction(take(transport, 2)))
        receipt = transport.commit(written)
    successor = world.transport()
    successor.open()
    try:
        assert successor.journal(0)[0] == [(receipt.journal_position, written.journal)]
    finally:
        successor.close()


@streams
def test_instances_have_journals_of_their_own(world: World) -> None:
    """No instance sees another's records."""
    world.produce(0, range(2))
    with joined(world.transport(instance=1)) as other:
        other.commit(for_subscribers(other, transaction(take(other, 2))))
        with joined(world.transport()) as transport:
            assert transport.journal(0)[0] == []


@streams
def test_partitions_get_equal_shares(world: World) -> None:
    """A long backlog of one partition does not keep the others waiting."""
    world.produce(0, range(300))
    world.produce(1, range(300))
    with joined(world.transport()) as transport:
        pieces = take(transport, 100)
    shares = [sum(count(p) for p in pieces if p.partition == number) for number in (0, 1)]
    assert sum(shares) == 100
    assert min(shares) >= 40


@streams
def test_what_an_ended_incarnation_took_is_not_published(world: World) -> None:
    """A partition that left belongs to someone else: its range is dropped, the rest lands."""
    world.produce(0, range(5))
    world.produce(1, range(5))
    with joined(world.transport()) as transport:
        pieces = take(transport, 10)
        assert {piece.partition for piece in pieces} == {0, 1}
        with joined(world.transport(instance=1)) as other:
            taken, early = _share_out(transport, other)
            ours = 1 - taken
            both = for_subscribers(transport, transaction(pieces))
            assert transport.commit(both).kept == {ours}
            assert world.published(taken) == []
            assert len(world.published(ours)) == 5
            record = transport.journal(0)[0][-1][1]
            assert set(record.ranges) == {ours}
            theirs = early + take(other, 5 - sum(map(count, early)))
            assert [v for piece in theirs for v in values(piece)] == list(range(5))
            receipt = other.commit(for_subscribers(other, transaction(theirs)))
            assert receipt.kept == {taken}
    assert world.published(taken) == [f"scored-{value}" for value in range(5)]


@streams
def test_a_transaction_of_which_nothing_is_kept_leaves_no_record(world: World) -> None:
    """Its sequence number is used again, so the journal has no holes."""
    world.produce(0, range(5))
    world.produce(1, range(5))
    with joined(world.transport()) as transport:
        pieces = take(transport, 10)
        with joined(world.transport(instance=1)) as other:
            taken, _ = _share_out(transport, other)
            stale = [piece for piece in pieces if piece.partition == taken]
            receipt = transport.commit(for_subscribers(transport, transaction(stale)))
            assert receipt.kept == frozenset()
            assert transport.journal(0)[0] == []


@streams
def test_input_that_expired_is_missed_and_told(world: World) -> None:
    """What was deleted before it was read is named, once, and reading goes on behind it."""
    world.produce(0, range(10))
    world.expire(0, 6)
    with joined(world.transport()) as transport:
        transport.commit(for_subscribers(transport, transaction(take(transport, 1))))
    world.produce(0, range(10, 15))
    world.expire(0, 12)
    with joined(world.transport()) as transport:
        assert transport.beginning(0) == 12
        with pytest.raises(InputExpiredError) as expired:
            transport.reread(0, 6, 15)
        assert expired.value.available_from == 12
        pieces = take(transport, 3)
    assert [v for piece in pieces for v in values(piece)] == [12, 13, 14]
    assert [piece.missed for piece in pieces if piece.missed] == [(7, 12)]


@streams
def test_a_zombie_cannot_commit(world: World) -> None:
    """A newer process of the instance has its place: nothing of the older lands, and it is told.

    On Kafka being fenced may be one's own time-out, so that one attempt may keep nothing first.
    """
    world.produce(0, range(6))
    zombie = world.transport()
    zombie.open()
    try:
        zombie.join()
        stale = for_subscribers(zombie, transaction(take(zombie, 6)))
        with joined(world.transport()) as successor:
            fresh = for_subscribers(successor, transaction(take(successor, 6)))
            assert _commit_until_fenced(zombie, stale)
            assert world.published(0) == []
            assert successor.commit(fresh).kept == {0}
    finally:
        zombie.close()
    assert world.published(0) == [f"scored-{value}" for value in range(6)]


@streams
def test_released_journal_records_may_go(world: World) -> None:
    """Below a kept checkpoint the journal may be deleted; what remains can be read."""
    world.produce(0, range(4))
    with joined(world.transport()) as transport:
        for seq in (1, 2):
            pieces = take(transport, 2)
            transport.commit(for_subscribers(transport, transaction(pieces, seq=seq)))
        middle = transport.journal(0)[0][0][0]
        transport.release_journal(middle)
        records, oldest = transport.journal(middle)
        assert [record.seq for _, record in records] == [2]
        assert oldest <= middle


def _share_out(transport: Transport, other: Transport) -> tuple[int, list[Slice]]:
    """Poll both (rejoining happens only there) until the newcomer holds one partition.

    Returns:
        That partition, and what the newcomer has taken of it already.
    """
    early: list[Slice] = []
    for _ in range(200):
        transport.poll(1, 0.1)
        early += other.poll(1, 0.1)
        if len(transport.assignment()) == len(other.assignment()) == 1:
            break
    (taken,) = other.assignment()
    return taken, early


def _commit_until_fenced(zombie: Transport, stale: Transaction) -> bool:
    for _ in range(5):
        try:
            assert zombie.commit(stale).kept == frozenset()
            zombie.poll(1, 0.1)
        except FencedError:
            return True
    return False
