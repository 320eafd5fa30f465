"""Worlds with the real learner and codec, and polls that a test cuts as it likes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from streamssl.codecs.registry import build_codec
from streamssl.data.events import EventBatch, Headers, OutputRecord, Slice
from streamssl.data.results import Results
from streamssl.engine.reproduce import Reproduced, reproduce
from streamssl.stream import StreamLearner
from streamssl.transport.memory import MemoryTransport
from tests.engine.world import Hook, TestTransport, World, nothing
from tests.strategies import Poll

SMALL: dict[str, Any] = {
    "learn": {
        "every": 64,
        "max_wait_s": 1e9,
        "burst_after": 100,
        "burst_steps": 6,
        "burst_slice": 2,
        "batch": 16,
        "upkeep_batch": 16,
    },
    "learner": {"embedding": 8, "hidden": 16, "projection": 8},
    "modality": {"window": 8, "tail_events": 60},
    "objectives": {"moco": {"queue": 32}},
    "checkpoint": {"every_events": 150, "every_s": 1e9},
}

# Key, value and headers of every record, by topic and partition.
Published = dict[tuple[str, int], list[tuple[bytes | None, bytes | None, Headers]]]


class MortalLearner(StreamLearner):
    """The real learner, which dies where a test says."""

    hook: Hook = staticmethod(nothing)

    def advance(self, batch: EventBatch) -> Results:
        self.hook("advance")
        return super().advance(batch)

    def close_epoch(self, decisions: Any) -> Any:
        self.hook("learn")
        report = super().close_epoch(decisions)
        self.hook("learnt")
        return report


class RealWorld(World):
    """Four machines with four channels on JSON."""

    def new_learner(self, hook: Hook = nothing) -> StreamLearner:
        learner = MortalLearner(self.config())
        learner.hook = hook
        return learner

    def new_codec(self) -> Any:
        return build_codec(self.config())

    def produce_noise(self, num_messages: int, seed: int = 0) -> None:
        rng = random.Random(seed)
        for i in range(num_messages):
            fields = {name: round(rng.gauss(0, 1), 4) for name in ("a", "b", "c", "d")}
            fields["a"] += 20.0 * (i % 97 == 96)
            value = b"{" if i % 41 == 40 else json.dumps(fields).encode()
            machine = rng.randrange(4)
            partition = machine % self.broker.num_partitions
            self.broker.produce("events", partition, value, key=b"m%d" % machine)

    def published(self) -> list[tuple[str, int, bytes | None]]:
        """Every byte of every output topic."""
        topics = ("scores", "embeddings", "incidents", "dlq")
        return [
            (topic, m.partition, m.value)
            for topic in topics
            for m in self.broker.records(f"streamssl.{topic}")
        ]

    def ids(self) -> list[str]:
        return [json.loads(value)["id"] for _, value in self.scores()]

    def every_byte(self) -> Published:
        """All records of all output topics."""
        found: Published = {}
        for topic in ("scores", "embeddings", "incidents", "dlq", "spaces"):
            for m in self.broker.records(f"streamssl.{topic}"):
                found.setdefault((topic, m.partition), []).append((m.key, m.value, m.headers))
        return found

    def reproduced(self) -> tuple[Published, Reproduced, StreamLearner]:
        """What a replay of the journal publishes and finds, and its learner."""
        published: Published = {}

        def write(partition: int, records: Sequence[OutputRecord]) -> None:
            for r in records:
                place = (r.topic, partition)
                published.setdefault(place, []).append((r.key, r.value, r.headers))

        learner, source = self.new_learner(), MemoryTransport(self.broker)
        config, codec = self.config(), self.new_codec()
        found = reproduce(config, source=source, learner=learner, codec=codec, write=write)
        return published, found, learner


class CutTransport(TestTransport):
    """Its polls are given; ends when there are no more."""

    __test__ = False
    polls: Iterator[Poll] = iter(())

    def poll(self, max_messages: int, timeout_s: float) -> list[Slice]:  # noqa: ARG002
        poll = next(self.polls, None)
        self.end(poll is None)
        incarnations = self.assignment()
        return [
            Slice(p, incarnations[p], start, stop, self._broker.read(self.topic, p, start, stop))
            for p, start, stop in poll or ()
        ]


class CutWorld(RealWorld):
    """Three partitions; every record is of one event, so that no cut shows in how it is packed.

    Args:
        polls: Cuts the input; None leaves it to the broker.
        sections: Of the configuration, besides the usual.
    """

    def __init__(self, folder: Path, polls: Iterable[Poll] | None = None, **sections: Any) -> None:
        outputs = {"embeddings": {"format": "json"}}
        super().__init__(folder, num_partitions=3, **SMALL, outputs=outputs, **sections)
        self._polls = polls
        self.produce_noise(280)

    def new_transport(self, hook: Hook, cuts: random.Random | None) -> TestTransport:
        if self._polls is None:
            return super().new_transport(hook, cuts)
        transport = CutTransport(self.broker, hook, cuts)
        transport.polls = iter(self._polls)
        return transport

    def epochs(self) -> list[dict[int, tuple[int, int]]]:
        """The journalled input of each epoch: partition -> (start, stop)."""
        found: dict[int, dict[int, tuple[int, int]]] = {}
        for record in self.journal():
            ranges = found.setdefault(record.epoch, {})
            for p, (start, stop, _, _) in record.ranges.items():
                ranges[p] = (ranges.get(p, (start, stop))[0], stop)
        return [ranges for _, ranges in sorted(found.items())]
