"""The count of results: whatever deviates from one each is seen, in whatever order it comes."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamssl.devkit.delivery import (
    DeliveryCounter,
    DeliveryLog,
    DeliveryTally,
    InputLog,
    by_partition,
    place_of_dead_letter,
    place_of_id,
)

Counts = dict[tuple[int, int], int]
# Of the input, (0, 2) and (0, 3) are bad.
NUM_MESSAGES, BAD = 4, (2, 3)
GOOD_SCORES: Counts = {(0, 0): 1, (0, 1): 1}
BAD_LETTERS: Counts = {(0, 2): 1, (0, 3): 1}


def counted(scored: Counts, dead: Counts) -> DeliveryCounter:
    counter = DeliveryCounter()
    for offset in range(NUM_MESSAGES):
        counter.inputs.acknowledge(0, offset, readable=offset not in BAD)
    for counts, count in ((scored, counter.scored), (dead, counter.dead_lettered)):
        for partition, offsets in by_partition(Counter(counts).elements()).items():
            count(partition, offsets)
    return counter


def tallied(scored: Counts, dead: Counts) -> DeliveryTally:
    return counted(scored, dead).tally()


def test_only_one_result_of_the_right_kind_each_is_exact() -> None:
    """Lost, repeated, foreign and misjudged messages are each seen."""
    assert tallied(GOOD_SCORES, BAD_LETTERS).exact
    assert tallied({(0, 0): 1}, BAD_LETTERS).lost == 1
    assert tallied(GOOD_SCORES | {(0, 0): 3}, BAD_LETTERS).repeated == 2
    assert tallied(GOOD_SCORES | {(9, 9): 1}, BAD_LETTERS).foreign == 1
    assert tallied(GOOD_SCORES | {(0, 7): 1}, BAD_LETTERS).foreign == 1
    assert tallied(GOOD_SCORES | {(0, 2): 1}, {(0, 3): 1}).misjudged == 1
    both = tallied(GOOD_SCORES, BAD_LETTERS | {(0, 0): 1})
    assert (both.repeated, both.misjudged) == (1, 1)


def test_a_tally_says_what_it_found() -> None:
    """In words; what is never there is not told."""
    counter = counted({(0, 0): 2, (0, 1): 2}, {(0, 2): 1, (5, 0): 1})
    assert str(counter.tally()) == "4 in: 2 scored, 1 dead letters; 1 lost, 2 repeated, 1 foreign"
    counter.inputs.expire(0, 3, 4)
    counter.scored(0, [2])
    told = "4 in: 3 scored, 1 dead letters, 1 deleted unread; 0 lost, 3 repeated, 1 foreign"
    assert str(counter.tally()) == f"{told}, 1 misjudged"
    assert (counter.num_seen, counter.num_results) == (4, 7)


def test_what_was_deleted_unread_is_not_lost() -> None:
    """It is counted by itself, unless it was read in time."""
    counter = counted({(0, 1): 1}, BAD_LETTERS)
    counter.inputs.expire(0, 0, 2)
    tally = counter.tally()
    assert (tally.exact, tally.unread, counter.num_lost()) == (True, 1, 0)
    assert counter.unanswered() == {(0, 0)}


def test_counts_from_an_offset_on_are_of_later_messages() -> None:
    """Of those the input's ends were asked before; every message of a new partition is later."""
    counter = counted({(0, 0): 1}, {(0, 2): 1})
    ends = counter.inputs.ends()
    assert ends == {0: 4}
    counter.scored(0, [1, 4, 5])
    counter.scored(3, [0])
    assert counter.num_seen_from(ends) == 3
    assert counter.num_seen_from({}) == 6


def test_two_counts_of_one_input_are_independent() -> None:
    """Whoever counts again begins at nothing; what is acknowledged later counts for both."""
    inputs = InputLog()
    one, other = DeliveryCounter(inputs), DeliveryCounter(inputs)
    inputs.acknowledge(0, 0)
    one.scored(0, [0])
    assert (one.tally().exact, other.tally().lost) == (True, 1)


@given(
    acknowledged=st.sets(st.tuples(st.integers(0, 2), st.integers(0, 3_000)), max_size=30),
    scored=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3_000)), max_size=30),
    late=st.integers(0, 30),
)
def test_the_order_of_arrival_does_not_matter(
    acknowledged: set[tuple[int, int]], scored: list[tuple[int, int]], late: int
) -> None:
    """Producer and reader tell from their own threads: the tally is that of sets."""
    counter, places = DeliveryCounter(), sorted(acknowledged)
    for partition, offset in places[late:]:
        counter.inputs.acknowledge(partition, offset)
    for partition, offset in scored:
        counter.scored(partition, [offset])
    for partition, offset in places[:late]:
        counter.inputs.acknowledge(partition, offset)
    assert counter.tally() == DeliveryTally(
        acknowledged=len(acknowledged),
        scored=len(acknowledged & set(scored)),
        dead_letters=0,
        lost=len(acknowledged - set(scored)),
        repeated=len(scored) - len(set(scored)),
        foreign=len(set(scored) - acknowledged),
        misjudged=0,
    )
    assert counter.unanswered() == acknowledged - set(scored)


def test_no_results_are_no_results() -> None:
    """An empty batch is a batch."""
    log = DeliveryLog()
    log.scored(0, [], 1.0)
    log.dead_lettered(0, [], 1.0)
    assert log.counter.tally() == DeliveryTally(0, 0, 0, 0, 0, 0, 0)
    assert log.latencies().tolist() == []


def test_a_result_names_the_place_of_its_message() -> None:
    """Scores by their id, also where the topic holds a slash; dead letters by their headers."""
    assert place_of_id("a/b/3/1042/0") == (3, 1042)
    headers = [("reason", b"bad_json"), ("origin_partition", b"2"), ("origin_offset", b"17")]
    assert place_of_dead_letter(headers) == (2, 17)


def test_latency_is_from_append_to_the_first_receipt() -> None:
    """A repeat does not change a message's latency, one without a result has none."""
    log = DeliveryLog()
    for offset in range(4):
        log.produced(0, offset, 1.0)
    log.scored(0, [0, 1], 1.25)
    log.scored(0, [1, 2], 3.0)
    assert log.latencies().tolist() == [0.25, 0.25, 2.0]
    assert log.latencies(last=1).tolist() == [2.0]
    assert (log.first_append_s, log.last_receipt_s) == (1.0, 3.0)


def test_a_result_before_its_acknowledgement_has_a_latency() -> None:
    """The two threads may report in any order."""
    log = DeliveryLog()
    log.scored(0, [5_000], 2.0)
    log.produced(0, 5_000, 1.5)
    tally = log.counter.tally()
    assert (tally.lost, tally.repeated, tally.scored) == (0, 0, 1)
    np.testing.assert_array_equal(log.latencies(), [0.5])
