"""An independent count: what a plain read_committed consumer finds of every message."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from benchmarks.chaos.source import NUM_PARTITIONS, Ledger, Place


class _Score(msgspec.Struct):
    id: str


@dataclass(frozen=True)
class Verdict:
    """What became of the acknowledged input.

    Attributes:
        acknowledged: Messages that the broker took.
        scored: Of them, those with a score.
        dead: Of them, those with a dead letter.
        lost: Messages with neither, but for those that were deleted unread.
        repeated: Results beyond the first of a message.
        foreign: Results of messages that nobody wrote.
        misjudged: Readable messages set aside, and unreadable ones scored.
        unread: Messages that were deleted unread, and have no result.
    """

    acknowledged: int
    scored: int
    dead: int
    lost: int
    repeated: int
    foreign: int
    misjudged: int
    unread: int = 0

    @property
    def exact(self) -> bool:
        """Whether every message has one result, of the right kind."""
        return not (self.lost or self.repeated or self.foreign or self.misjudged)

    def __str__(self) -> str:
        told = f"{self.acknowledged:,} in: {self.scored:,} scored, {self.dead:,} dead letters"
        told += f", {self.unread:,} deleted unread" if self.unread else ""
        return f"{told}; {self.lost} lost, {self.repeated} repeated, {self.foreign} foreign" + (
            f", {self.misjudged} misjudged" if self.misjudged else ""
        )


class Auditor:
    """Reads scores and dead letters like any subscriber, and compares them with the ledger.

    Args:
        bootstrap_servers: The broker.
        app: Prefix of the output topics.
        topic: Input topic.
        ledger: What was put in.

    Attributes:
        scored: How often each message was scored.
        dead: How often each has a dead letter.
        reasons: Why.
    """

    def __init__(self, bootstrap_servers: str, app: str, topic: str, ledger: Ledger) -> None:
        self.scored: Counter[Place] = Counter()
        self.dead: Counter[Place] = Counter()
        self.reasons: dict[Place, str] = {}
        self._num_settled = Counter({"scored": 0, "dead": 0})
        self._ledger = ledger
        self._topic = topic
        self._scores = f"{app}.scores"
        self._decode = msgspec.json.Decoder(_Score).decode
        self._consumer, self._ahead = (
            _open(bootstrap_servers, level, self._scores, f"{app}.dlq")
            for level in ("read_committed", "read_uncommitted")
        )

    def look(self, wait_s: float = 0.1) -> None:
        """Take in what was committed meanwhile; a broker that is away shows nothing."""
        with suppress(KafkaError):
            found = self._consumer.poll(timeout_ms=int(wait_s * 1_000), max_records=20_000)
            for records in found.values():
                for record in records:
                    self._note(record)

    def by_partition(self) -> list[list[int]]:
        """Offsets of the messages scored, then of those set aside, as they came."""
        kinds = [[list[int]() for _ in range(NUM_PARTITIONS)] for _ in range(2)]
        for found, counts in zip(kinds, (self.scored, self.dead), strict=True):
            for partition, offset in counts:
                found[partition].append(offset)
        return [offsets for found in kinds for offsets in found]

    def results(self) -> Set[Place]:
        """Messages with a result so far."""
        return self.scored.keys() | self.dead.keys()

    def num_results(self) -> int:
        """Results so far."""
        return self.scored.total() + self.dead.total() + self._num_settled.total()

    def num_seen(self) -> int:
        """Messages with a result so far."""
        now = len(self.scored) + len(self.dead.keys() - self.scored.keys())
        return now + self._num_settled.total()

    def wait_for_more(self, limit_s: float, num: int = 1) -> float:
        """Seconds until so many more results are seen; infinite where they never come."""
        wanted = self.num_results() + num
        return self._wait(lambda: self.num_results() >= wanted, limit_s)

    def known(self) -> Set[Place]:
        """The messages that the broker has acknowledged so far."""
        return set(self._ledger.kinds)

    def wait_for_later(self, limit_s: float, earlier: Set[Place], num: int = 1) -> float:
        """Seconds until so many messages that are not among the earlier ones have a result."""
        return self._wait(lambda: len(self.results() - earlier) >= num, limit_s)

    def wait_for_all(self, limit_s: float) -> float:
        """Seconds until every message has a result; infinite where that never happens."""
        wanted = self._ledger.kinds.keys() - self._ledger.expired
        return self._wait(
            lambda: self.num_seen() >= len(wanted) and wanted <= self.results(), limit_s
        )

    def settle(self) -> None:
        """Count the messages that have their one right result, and forget them.

        All of half an hour's would fill the memory. One more result of them would be foreign.
        """
        for place, kind in [*self._ledger.kinds.items()]:
            right, wrong = (self.dead, self.scored) if kind else (self.scored, self.dead)
            if right.get(place) == 1 and place not in wrong:
                del right[place], self._ledger.kinds[place]
                self.reasons.pop(place, None)
                self._num_settled["dead" if kind else "scored"] += 1

    def verdict(self, limit_s: float = 30.0) -> Verdict:
        """The final count: everything that was written has been read, or is hidden for good."""
        self._wait(self._at_end, limit_s)
        kinds, expired, settled = self._ledger.kinds, self._ledger.expired, self._num_settled
        seen = self.results()
        wrong = [p for p, kind in kinds.items() if p in (self.scored if kind else self.dead)]
        return Verdict(
            acknowledged=len(kinds) + settled.total(),
            scored=len(kinds.keys() & self.scored.keys()) + settled["scored"],
            dead=len(kinds.keys() & self.dead.keys()) + settled["dead"],
            lost=len(kinds.keys() - expired - seen),
            repeated=self.scored.total() + self.dead.total() - len(seen),
            foreign=len(seen - kinds.keys()),
            misjudged=len(wrong),
            unread=len(expired - seen),
        )

    def close(self) -> None:
        """Free the connections."""
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

    def _note(self, record: Any) -> None:
        if record.topic == self._scores:
            topic, partition, offset, _ = self._decode(record.value).id.rsplit("/", 3)
            assert topic == self._topic, topic
            self.scored[int(partition), int(offset)] += 1
            return
        headers = dict(record.headers)
        place = int(headers["origin_partition"]), int(headers["origin_offset"])
        self.dead[place] += 1
        self.reasons[place] = headers["reason"].decode()


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
