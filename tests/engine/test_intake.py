"""What is polled joins transactions in order, once, cut where there is no more room."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamssl.data.events import Message, Slice
from streamssl.engine.intake import Intake
from streamssl.engine.positions import Positions
from streamssl.engine.slices import head, rest


def new_intake(**answers: Any) -> Intake:
    """An intake of a group that never committed, but where `answers` say otherwise."""
    known: dict[str, Any] = {
        "committed": lambda _: None,
        "beginning": lambda _: 0,
        "assignment": lambda: {0: 1},
    }
    return Intake(SimpleNamespace(**{**known, **answers}), Positions(), 5, lambda: 0.0)


def messages(*offsets: int) -> list[Message]:
    """Messages at these offsets."""
    return [Message(0, offset, None, b"%d" % offset) for offset in offsets]


@given(
    offsets=st.lists(st.integers(0, 40), unique=True, min_size=1).map(sorted),
    data=st.data(),
)
def test_every_message_is_taken_once_and_in_order(offsets: list[int], data: st.DataObject) -> None:
    """Whatever room there is, and wherever the transaction ends within what was admitted."""
    intake = new_intake()
    intake.stash = [Slice(0, 1, 0, 41, messages(*offsets))]
    found: list[int] = []
    while intake.stash:
        (piece,) = intake.take(9, 0.0)
        admitted = intake.offer(piece, data.draw(st.integers(1, 5)))
        assert admitted is not None
        stop = data.draw(st.integers(admitted.fresh.start + 1, admitted.head.stop))
        found += [m.offset for m in head(admitted.head, stop).payload]
        intake.taken(admitted, stop)
    assert found == offsets


def test_without_room_a_slice_waits_as_it_is() -> None:
    """It is offered again, whole, before anything else is polled."""
    intake, piece = new_intake(), Slice(0, 1, 3, 9, messages(3, 8), missed=(1, 3))
    assert intake.offer(piece, 0) is None
    assert intake.take(9, 0.0) == [piece]


def test_what_was_taken_is_cut_off_and_what_expired_is_told() -> None:
    """By the offsets that were taken, whatever the transport says of the slice."""
    intake = new_intake()
    first = intake.offer(Slice(0, 1, 0, 4, messages(0, 1, 2, 3)), 9)
    assert first is not None
    intake.taken(first, 4)
    assert intake.offer(Slice(0, 1, 2, 4, messages(2, 3)), 9) is None
    again = intake.offer(Slice(0, 1, 2, 6, messages(2, 3, 5)), 9)
    assert again is not None
    assert (again.head, again.missed) == (Slice(0, 1, 4, 6, messages(5)), None)
    later = intake.offer(Slice(0, 1, 7, 9, messages(8), missed=(6, 7)), 9)
    assert later is not None
    assert (later.head.start, later.missed) == (7, (4, 7))


def test_an_arrival_is_asked_about_until_something_of_it_is_taken() -> None:
    """A partition that comes with nothing new leaves no trace: its state is not decided yet."""
    asked: list[int] = []

    def committed(partition: int) -> int:
        asked.append(partition)
        return 7

    intake = new_intake(committed=committed)
    assert intake.offer(Slice(0, 1, 5, 7, messages(5, 6)), 9) is None
    admitted = intake.offer(Slice(0, 1, 5, 9, messages(5, 6, 8)), 9)
    assert admitted is not None
    assert (admitted.head.start, admitted.tail) == (7, (2, 7))
    intake.taken(admitted, 9)
    assert intake.offer(Slice(0, 1, 9, 10, messages(9)), 9) is not None
    assert asked == [0, 0]


@pytest.mark.parametrize("offset", [-1, 10, 12, 14, 99])
def test_rows_and_messages_are_cut_alike(offset: int) -> None:
    """A file's rows lie at consecutive offsets; both parts are the whole, losses in the first."""
    rows = pa.record_batch({"a": [10, 11, 12, 13]})
    for payload in (rows, messages(10, 11, 12, 13)):
        piece = Slice(0, 1, 10, 14, payload, missed=(8, 10))
        first, second = head(piece, offset), rest(piece, offset)
        assert first.stop == second.start == min(max(offset, 10), 14)
        assert (len(first.payload), len(second.payload)) == (first.stop - 10, 14 - first.stop)
        assert (first.missed, second.missed) == ((8, 10), None)


def test_the_stash_counts_as_lag_where_the_end_is_known() -> None:
    """A partition whose end is not known yet has no lag to add to."""
    intake = new_intake(lag=lambda: {0: 3})
    intake.stash = [Slice(0, 1, 10, 14, []), Slice(1, 1, 0, 9, [])]
    assert intake.lag() == {0: 7}
