"""An independent count: what a plain read_committed consumer finds of every message."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any, Self

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streamssl.devkit.delivery import (
    DeliveryCounter,
    DeliveryTally,
    InputLog,
    Place,
    by_partition,
    place_of_dead_letter,
    place_of_id,
)


class _Score(msgspec.Struct):
    id: str


class Auditor:
    """Reads scores and dead letters like any subscriber, and counts them against the input.

    Nothing of ours reads for it: it is kafka-python's own consumer.

    Args:
        bootstrap_servers: The broker.
        app: Prefix of the output topics.
        topic: Input topic.
        inputs: What was put in.

    Attributes:
        counter: The count so far.
        reasons: Why messages are dead letters.
        num_disordered: Results that came after one of a later message of their partition.
    """

    def __init__(self, bootstrap_servers: str, app: str, topic: str, inputs: InputLog) -> None:
        self.counter = DeliveryCounter(inputs)
        self.reasons: dict[Place, str] = {}
        self.num_disordered = 0
        self._newest: dict[tuple[bool, int], int] = {}
        self._topic, self._scores = topic, f"{app}.scores"
        self._decode = msgspec.json.Decoder(_Score).decode
        self._consumer, self._ahead = (
            _open(bootstrap_servers, level, self._scores, f"{app}.dlq")
            for level in ("read_committed", "read_uncommitted")
        )

    def look(self, wait_s: float = 0.1) -> None:
        """Take in what was committed meanwhile; a broker that is away shows nothing."""
        with suppress(KafkaError):
            found = self._consumer.poll(timeout_ms=int(wait_s * 1_000), max_records=20_000)
            for tp, records in found.items():
                self._note(records, are_scores=tp.topic == self._scores)

    def num_results(self) -> int:
        """Results so far, repeated ones included."""
        return self.counter.num_results

    def num_seen(self) -> int:
        """Messages with a result so far."""
        return self.counter.num_seen

    def wait_for_more(self, limit_s: float, num: int = 1) -> float:
        """Seconds until so many more results are seen; infinite where they never come."""
        wanted = self.num_results() + num
        return self._wait(lambda: self.num_results() >= wanted, limit_s)

    def wait_for_later(self, limit_s: float, ends: Mapping[int, int], num: int = 1) -> float:
        """Seconds until so many messages at or after the ends of the input have a result."""
        return self._wait(lambda: self.counter.num_seen_from(ends) >= num, limit_s)

    def wait_for_all(self, limit_s: float) -> float:
        """Seconds until every message has a result; infinite where that never happens."""
        return self._wait(lambda: not self.counter.num_lost(), limit_s)

    def tally(self, limit_s: float = 30.0) -> DeliveryTally:
        """The final count: everything that was written has been read, or is hidden for good."""
        self._wait(self._at_end, limit_s)
        return self.counter.tally()

    def close(self) -> None:
        """Free both connections to the broker."""
        self._consumer.close(autocommit=False)
        self._ahead.close(autocommit=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, over: Callable[[], bool], limit_s: float) -> float:
        began_s = time.monotonic()
        while not over():
            if time.monotonic() - began_s > limit_s:
                return float("inf")
            self.look()
        return time.monotonic() - began_s

    def _at_end(self) -> bool:
        """Whether nothing was written that this subscriber has not got to."""
        tps = sorted(self._consumer.assignment())
        ends = self._ahead.end_offsets(tps)
        return all(self._consumer.position(tp) >= ends[tp] for tp in tps)

    def _note(self, records: list[Any], *, are_scores: bool) -> None:
        """Count the results in the records of one partition of an output topic."""
        count = self.counter.scored if are_scores else self.counter.dead_lettered
        places = (self._place(record, are_scores) for record in records)
        for partition, offsets in by_partition(places).items():
            newest = self._newest.get((are_scores, partition), -1)
            self.num_disordered += sum(b <= a for a, b in pairwise([newest, *offsets]))
            self._newest[are_scores, partition] = offsets[-1]
            count(partition, offsets)

    def _place(self, record: Any, is_score: bool) -> Place:
        if is_score:
            event_id = self._decode(record.value).id
            assert event_id.startswith(f"{self._topic}/"), event_id
            return place_of_id(event_id)
        place = place_of_dead_letter(record.headers)
        self.reasons[place] = dict(record.headers)["reason"].decode()
        return place


def _open(bootstrap_servers: str, isolation_level: str, *topics: str) -> KafkaConsumer:
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap_servers.split(","),
        isolation_level=isolation_level,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        metrics_enabled=False,
    )
    tps = [
        TopicPartition(topic, partition)
        for topic in topics
        for partition in sorted(consumer.partitions_for_topic(topic) or ())
    ]
    consumer.assign(tps)
    return consumer
