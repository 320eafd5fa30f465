"""What of a transaction may still land when assignments changed under it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import msgspec

from streamssl.data.events import OutputRecord, Range
from streamssl.transport.base import PartitionOutput, Transaction
from streamssl.transport.holding import returned, still_held
from streamssl.transport.journal import JournalRecord

SPACE = OutputRecord("spaces", b"new", b"{}")
HELD = MappingProxyType({0: 1, 1: 1})


def taken() -> Transaction:
    """Ten messages of partitions 0 and 1; a tail of 2, of which nothing was taken."""
    parts = {p: PartitionOutput(Range(p, 10, 20, 10, 0), 1) for p in (0, 1)}
    record = JournalRecord(
        instance=0,
        seq=1,
        epoch=1,
        ranges=dict.fromkeys((0, 1), (10, 20, 10, 0)),
        tails={0: (5, 10), 2: (0, 3)},
        dead_letters=[(0, 11, -1), (1, 12, -1)],
    )
    return Transaction(record, parts)


def untold(_: int) -> int:
    """The group's position, where it must not be asked for."""
    raise AssertionError


def test_what_goes_on_is_whole() -> None:
    """Nobody is asked where nothing changed."""
    assert still_held(taken(), HELD, frozenset(), untold) == taken()


def test_a_partition_that_was_given_away_leaves_with_all_that_is_of_it() -> None:
    """Its range, tail and dead letters; the tail of a partition without a part stays."""
    for held in ({1: 1}, {0: 2, 1: 1}):
        rest = still_held(taken(), held, frozenset(), untold)
        assert (set(rest.parts), set(rest.journal.ranges)) == ({1}, {1})
        assert rest.journal.tails == {2: (0, 3)}
        assert rest.journal.dead_letters == [(1, 12, -1)]


def test_a_partition_that_was_lost_and_came_back_untouched_stays() -> None:
    """However often it was lost meanwhile; not where another worker went further."""
    lost, held = frozenset({(0, 1), (0, 2), (1, 1)}), {0: 3, 1: 2}
    whole = taken()
    rest = still_held(whole, held, lost, {0: 10, 1: None}.__getitem__)
    assert rest.journal == whole.journal
    assert returned(whole, rest) == {
        0: replace(whole.parts[0], incarnation=3),
        1: replace(whole.parts[1], incarnation=2),
    }
    assert set(still_held(whole, held, lost, {0: 10, 1: 11}.__getitem__).parts) == {0}
    assert set(still_held(whole, {0: 3}, lost, {0: 10}.__getitem__).parts) == {0}


def test_records_of_no_partition_land_with_whatever_lands() -> None:
    """A space is announced whichever partitions leave, as long as one stays."""
    record = msgspec.structs.replace(taken().journal, space="new")
    whole = Transaction(record, taken().parts, [SPACE])
    rest = still_held(whole, {1: 1}, frozenset(), untold)
    assert rest.records == [SPACE]
    assert rest.journal.space == "new"
    assert list(rest.by_partition()) == [(1, []), (0, [SPACE])]
    assert whole.without({0, 1}).journal.space is None
