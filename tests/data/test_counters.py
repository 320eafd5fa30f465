"""Which numbers only count: by even steps, or by the range that whole numbers fill."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from streamssl.data.channels import SampledEvent, choose

NUM_MACHINES = 6
# What comes to which partition, of a producer's n-th event.
Route = Callable[[int], int]
ROUTES: dict[str, Route] = {
    "6 keys, 3 partitions": lambda i: (0, 1, 1, 2, 0, 1)[i % NUM_MACHINES],
    "4 keys of one partition": lambda i: (0, 0, 1, 0, 2, 0)[i % NUM_MACHINES],
    "random keys": lambda i: random.Random(i).randrange(3),
    "two in turns": lambda i: i % 2,
    "three in batches": lambda i: i // 5 % 3,
}


def routed(values: list[float], route: Route, name: str = "n") -> list[SampledEvent]:
    """What three partitions hold of a producer's events, one partition after the other."""
    events = [
        SampledEvent(route(i), f"m{i % NUM_MACHINES}", 0.0, {"rpm": gauss(i), name: value})
        for i, value in enumerate(values)
    ]
    return sorted(events, key=lambda event: event.partition)


def gauss(i: int) -> float:
    """A measurement."""
    return random.Random(i + 1_000).gauss(20, 3)


def taken(events: list[SampledEvent], name: str = "n") -> bool:
    """Whether the field is a channel; the other one is in any case."""
    choice = choose(events)
    assert choice.schema is not None
    assert choice.schema.fields[0] == "rpm"
    left_out = {left.name: left.reason for left in choice.left_out}
    assert left_out in ({}, {name: "counter"})
    return not left_out


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_producer_wide_counter_is_no_channel(route: Route, sign: int) -> None:
    """Though it moves by more than one in each partition; up or down."""
    assert not taken(routed([10_000.0 + sign * i for i in range(32)], route))


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_one_partition_is_enough_to_know_it(route: Route) -> None:
    """The first events may all be of one partition, which has gaps where others have numbers."""
    events = routed([float(i) for i in range(300)], route)
    assert not taken([event for event in events if event.partition == 0][:32])


def test_one_partition_of_many_shows_it() -> None:
    """Also where it has a sixteenth of the numbers: a counter leaps, a measurement does not."""
    for seed in range(20):
        draw = random.Random(seed)
        numbers = [float(i) for i in range(1_600) if draw.randrange(16) == 0][:32]
        assert not taken(routed(numbers, lambda _: 0))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("uptime_ms", [5_000.0 + 1_000 * i for i in range(32)]),
        ("hours", [i / 3_600 for i in range(700, 732)]),
        ("hours", [float(np.float32(i / 3_600)) for i in range(700, 732)]),
        ("hours", [round(i / 3_600, 4) for i in range(700, 732)]),
        ("left", [100.0 - 0.1 * i for i in range(32)]),
        ("ticks", [float(7 * i + 7 * (i > 20)) for i in range(32)]),
        ("uptime", [1.5 * i + random.Random(i).random() for i in range(5)]),
        ("seq", [float(40 * i + i % 7) for i in range(32)]),
        ("n", [float(700 - i) for i in range(8)]),
    ],
)
def test_clocks_and_countdowns_are_none(name: str, values: list[float]) -> None:
    """One step for all events, also as rounded; a lost row or an own name allowed for."""
    assert not taken(routed(values, lambda _: 0, name), name)


@pytest.mark.parametrize(
    "values",
    [
        [20 + 0.01 * i + 0.02 * random.Random(i).random() for i in range(32)],
        [20 + 0.1 * i * i for i in range(9)],
        [20.1, 20.3, 20.4, 20.8, 21.1, 21.3, 21.8, 22.0],
        [float(random.Random(i).randrange(60)) for i in range(32)],
        [float(i + random.Random(i).randrange(3)) for i in range(32)],
        [float(i // 4) for i in range(32)],
        [4.0] * 32,
        [float(i % 2) for i in range(32)],
        [1e6 + i * 1_000 + random.Random(i).randrange(900) for i in range(32)],
        [float(i % 16) for i in range(32)],
    ],
)
def test_measurements_stay(values: list[float]) -> None:
    """Slow ramps, rises by chance, whole numbers that repeat, states, meters in large units."""
    assert taken(routed(values, lambda _: 0))


def test_whole_measurements_over_many_partitions_are_no_counter() -> None:
    """Two events of each of four partitions are in order by chance, and say nothing."""
    events = [
        SampledEvent(i // 2, "", 0.0, {"rpm": gauss(i), "n": value})
        for i, value in enumerate([11.0, 14.0, 3.0, 8.0, 5.0, 6.0, 1.0, 9.0])
    ]
    assert taken(events)
