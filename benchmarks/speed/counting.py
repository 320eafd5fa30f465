"""What the independent reader found in an output topic, and how fast it came.

M = messages of a topic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from benchmarks.speed.results import Rate
from streamssl.data.events import IntArray, Message
from streamssl.devkit.delivery import (
    DeliveryCounter,
    DeliveryTally,
    InputLog,
    by_partition,
    place_of_id,
)


@dataclass(frozen=True, slots=True)
class Counted:
    """What the reader found in a topic.

    Attributes:
        events: In all.
        steady_events: Appended inside the steady window.
        steady_s: Length of that window.
        num_bytes: Of keys, values and headers.
    """

    events: int
    steady_events: int
    steady_s: float
    num_bytes: int

    def rate(self, id_: str, name: str, expected: int) -> Rate:
        """A row of a table, with as many events as there should be."""
        return Rate(
            id=id_,
            name=name,
            events=self.steady_events,
            seconds=self.steady_s,
            counted=self.events,
            expected=expected,
        )


def one(message: Message) -> int:  # noqa: ARG001 - as every way of counting
    """A message is an event."""
    return 1


def count(messages: Sequence[Message], events_in: Callable[[Message], int] = one) -> Counted:
    """Count the events of a topic.

    The steady window goes from the append of the event at 30 % to that of the one at 97 %.

    Args:
        messages: All that the topic holds.
        events_in: How many events a message stands for.
    """
    if not messages:
        return Counted(0, 0, 0.0, 0)
    count_M = np.array([events_in(m) for m in messages])
    events, seconds = steady(np.array([m.timestamp_ms for m in messages]), count_M)
    return Counted(int(count_M.sum()), events, seconds, sum(map(_size, messages)))


def steady(
    append_M: IntArray, count_M: IntArray, begin: float = 0.3, end: float = 0.97
) -> tuple[int, float]:
    """Events between two moments of a run, and the seconds between them.

    Args:
        append_M: Milliseconds at which each message was appended.
        count_M: Events in each message.
        begin: Share of the events after whose append the window begins.
        end: Share of the events with whose append it ends.

    Example:
        >>> steady(np.array([0, 1_000, 2_000, 3_000]), np.array([1, 1, 1, 1]), 0.25, 1.0)
        (3, 3.0)
    """
    moment_T, group = np.unique(append_M, return_inverse=True)
    done_T = np.cumsum(np.bincount(group, count_M))
    first, last = np.searchsorted(done_T, (begin * done_T[-1], end * done_T[-1])).tolist()
    seconds = float(moment_T[last] - moment_T[first]) / 1e3
    return int(done_T[last] - done_T[first]), seconds


def ids_in(message: Message) -> list[str]:
    """Ids of the events whose scores a message holds: of one, under its key, or of a packed run."""
    if message.key is not None:
        return [dict(message.headers)["ce_id"].decode()]
    with pa.ipc.open_stream(message.value) as reader:
        ids: list[str] = reader.read_all().column("id").to_pylist()
    return ids


def delivery(scores: Iterable[Message], inputs: InputLog) -> DeliveryTally:
    """Whether each message of an input, one event each, has one score.

    Args:
        scores: All that the topic of scores holds.
        inputs: What was put in.
    """
    counter = DeliveryCounter(inputs)
    places = (place_of_id(event_id) for message in scores for event_id in ids_in(message))
    for partition, offsets in by_partition(places).items():
        counter.scored(partition, offsets)
    return counter.tally()


def _size(message: Message) -> int:
    headers = sum(len(name) + len(value) for name, value in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers
