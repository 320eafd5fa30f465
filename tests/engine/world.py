"""A broker, instances that run on it, and the ways in which a test lets them die."""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from streamssl.codecs.base import Sample
from streamssl.config.root import Config
from streamssl.data.channels import Choice
from streamssl.data.events import (
    DeadLetter,
    Decoded,
    EventBatch,
    Message,
    OutputRecord,
    Schema,
    Slice,
)
from streamssl.data.results import Results
from streamssl.engine.engine import Engine
from streamssl.engine.loop import Loop
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import Reproduction
from streamssl.engine.summary import Summary
from streamssl.host.local import LocalHost
from streamssl.transport.base import Receipt, Transaction
from streamssl.transport.journal import JournalRecord, decode_record
from streamssl.transport.memory import MemoryBroker, MemoryTransport
from tests.engine.fake_learner import FakeLearner
from tests.transport.faulty_broker import FaultyBroker, SimulatedCrashError

Hook = Callable[[str], None]


def nothing(_: str) -> None:
    """A moment at which nothing happens."""


class Bomb:
    """Kills the process at the n-th moment."""

    def __init__(self, moments: int) -> None:
        self.left = moments

    def __call__(self, moment: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise SimulatedCrashError(moment)


class FakeDecoder:
    """A value is a JSON list of numbers, one event each; the poison kills whoever reads it."""

    named: Schema | None = Schema(("x",))

    def sample(self, piece: Slice) -> Sample:  # noqa: ARG002
        return Sample(())

    def choose(self, samples: Sequence[Sample]) -> Choice:  # noqa: ARG002
        return Choice(self.named)

    def others(self, piece: Slice, known: Collection[str]) -> Counter[str]:  # noqa: ARG002
        return Counter()

    def decode(self, piece: Slice, schema: Schema | None) -> Decoded:
        assert isinstance(piece.payload, list)
        rows: list[tuple[int, int, str, float]] = []
        letters: list[DeadLetter] = []
        for message in piece.payload:
            if message.value == b"poison":
                raise SimulatedCrashError("poison")
            try:
                values = [float(v) for v in json.loads(message.value or b"")]
            except (ValueError, TypeError):
                letters.append(DeadLetter(message, None, "bad_json", "not a list"))
                continue
            key = (message.key or b"").decode()
            rows += [(message.offset, i, key, value) for i, value in enumerate(values)]
        schema = schema or self.named
        fields = schema.fields if schema else ()
        return Decoded(self._batch(piece.partition, rows, fields), tuple(letters), schema)

    def _batch(
        self, partition: int, rows: list[tuple[int, int, str, float]], fields: tuple[str, ...]
    ) -> EventBatch:
        return EventBatch(
            "events",
            np.full(len(rows), partition, np.int64),
            np.array([r[0] for r in rows], np.int64),
            np.array([r[1] for r in rows], np.int64),
            pa.array([r[2] for r in rows], pa.string()),
            np.array([r[0] for r in rows], np.float64),
            fields,
            np.array([[r[3]] for r in rows], np.float64).reshape(len(rows), len(fields)),
        )


class FakeCodec:
    """One JSON record an event, one record a dead letter."""

    def __init__(self) -> None:
        self.decoder = FakeDecoder()

    def encode(
        self, results: Results | None, dead_letters: tuple[DeadLetter, ...]
    ) -> list[OutputRecord]:
        scores = [] if results is None else zip(results.batch.ids(), results.raw, strict=True)
        return [
            OutputRecord("scores", None, json.dumps([i, float(raw).hex()]).encode())
            for i, raw in scores
        ] + [
            OutputRecord("dlq", letter.reason.encode(), _origin(letter.message))
            for letter in dead_letters
        ]


def _origin(message: Message) -> bytes:
    return f"{message.partition}/{message.offset}".encode()


class TestTransport(MemoryTransport):
    """Polls as a test cuts them, ends when all was read, and dies where a test says."""

    __test__ = False

    def __init__(self, broker: MemoryBroker, hook: Hook, cuts: random.Random | None) -> None:
        super().__init__(broker)
        self._hook = hook
        self._cuts = cuts
        self.ended = False
        self._held: Mapping[int, int] = {}
        self.idle: Callable[[], None] = lambda: None
        self.lags: Mapping[int, int] | None = None

    def poll(self, max_messages: int, timeout_s: float) -> list[Slice]:  # noqa: ARG002
        self._hook("poll")
        most = self._cuts.randint(1, max_messages) if self._cuts else max_messages
        pieces = super().poll(most, 0.0)
        self.end(not pieces)
        if not pieces:
            self.idle()
        return pieces

    def end(self, ended: bool) -> None:
        """Whether all was read, unless a partition comes back."""
        self.ended, self._held = ended, self.assignment()

    def exhausted(self) -> bool:
        return self.ended and self._held == self.assignment()

    def lag(self) -> Mapping[int, int]:
        return super().lag() if self.lags is None else self.lags

    def commit(self, transaction: Transaction) -> Receipt:
        self._hook("commit")
        receipt = super().commit(transaction)
        self._hook("committed")
        return receipt


class TestEngine(Engine):
    """Can be asked what it had yet to journal."""

    __test__ = False
    positions: Positions

    def _recover(self) -> Loop:
        loop = super()._recover()
        self.positions = loop._positions
        return loop


class World:
    """One broker with one topic, and instances of one application.

    Attributes:
        now_s: What the injected clock says; it ticks when read, and a test moves it.
    """

    def __init__(self, folder: Path, *, num_partitions: int = 1, **sections: Any) -> None:
        self.folder = folder
        self.broker = FaultyBroker(num_partitions=num_partitions, clock=lambda: 0.0)
        # What waits depends on the polls: epochs are stretched only where a test is about that.
        learn = {"every": 32, "max_wait_s": 1e9, "max_stretch": 1}
        self.sections = sections | {"learn": learn | sections.get("learn", {})}
        self.now_s = 0.0
        self.learners: dict[int, Any] = {}
        self.engines: dict[int, TestEngine] = {}
        self.transport: TestTransport

    def clock(self) -> float:
        """Seconds, a millisecond later at every look."""
        self.now_s += 0.001
        return self.now_s

    def later(self, seconds: float, then: list[Any]) -> None:
        """Let time pass, and from the tenth second on produce something, once."""
        self.now_s += seconds
        if self.now_s > 10.0 and self.broker.end("events", 0) == 2:
            self.produce(then)

    def config(self, instance: int = 0) -> Config:
        """The configuration of one instance."""
        app = {"instance": instance, "state_dir": str(self.folder / str(instance))}
        app |= self.sections.get("app", {})
        return Config.model_validate({**self.sections, "app": app})

    def lose_state(self, instance: int = 0, *, on_missing_state: str = "fresh") -> None:
        """Delete an instance's state folder, and say what its next start shall do."""
        shutil.rmtree(self.config(instance).app.state_dir)
        self.sections["app"] = {"on_missing_state": on_missing_state}

    def produce(self, values: list[Any], partition: int = 0) -> None:
        """Append messages: numbers (or lists of them) as events, bytes as they are."""
        for i, value in enumerate(values):
            data = value if isinstance(value, bytes) else json.dumps(_listed(value)).encode()
            self.broker.produce("events", partition, data, key=b"k%d" % (i % 3))

    def produce_noise(self, num_messages: int, seed: int = 0) -> None:
        """Append seeded events to random partitions."""
        rng = random.Random(seed)
        for _ in range(num_messages):
            partition = rng.randrange(self.broker.num_partitions)
            value = json.dumps([round(rng.gauss(0, 1), 3)]).encode()
            self.broker.produce("events", partition, value, key=b"k%d" % rng.randrange(3))

    def engine(
        self,
        instance: int = 0,
        *,
        hook: Hook = nothing,
        cuts: random.Random | None = None,
        **arguments: Any,
    ) -> Engine:
        """A new process of an instance."""
        config = self.config(instance)
        transport = self.new_transport(hook, cuts)
        transport._instance = instance
        self.transport = transport
        learner = self.learners[instance] = self.new_learner(hook)
        self.engines[instance] = TestEngine(
            config=config,
            transport=transport,
            host=LocalHost(learner),
            codec=self.new_codec(),
            state_dir=config.app.state_dir,
            clock=self.clock,
            **arguments,
        )
        return self.engines[instance]

    def new_transport(self, hook: Hook, cuts: random.Random | None) -> TestTransport:
        """A fresh connection to the broker."""
        return TestTransport(self.broker, hook, cuts)

    def new_learner(self, hook: Hook = nothing) -> Any:
        """A fresh learner that dies where `hook` says."""
        return FakeLearner(hook=hook)

    def new_codec(self) -> Any:
        """A fresh codec."""
        return FakeCodec()

    def run_until_drained(
        self, moments: list[int], cuts: random.Random | None = None, **arguments: Any
    ) -> int:
        """Run one process after another, each killed at its moment, until one ends by itself.

        Returns:
            How many were killed.
        """
        for i, moment in enumerate([*moments, 0]):
            try:
                self.engine(hook=Bomb(moment), cuts=cuts, **arguments).run()
            except SimulatedCrashError:
                continue
            return i
        raise AssertionError("the last process did not end")

    def scores(self) -> list[tuple[int, bytes]]:
        """Everything published, in order within each partition."""
        return [(m.partition, m.value or b"") for m in self.broker.records("streamssl.scores")]

    def ids(self) -> list[str]:
        """Ids of everything published."""
        return [json.loads(value)[0] for _, value in self.scores()]

    def dead_letters(self) -> list[tuple[bytes, bytes]]:
        """(reason, origin) of every dead letter."""
        records = self.broker.records("streamssl.dlq")
        return [(m.key or b"", m.value or b"") for m in records]

    def journal(self, instance: int = 0) -> list[JournalRecord]:
        """An instance's records."""
        messages = self.broker.read("streamssl.journal", instance)
        return [decode_record(m.value or b"") for m in messages]

    def replay(self, instance: int = 0) -> tuple[Any, list[tuple[int, bytes]], Any]:
        """What a separate process makes of the journal and the input.

        Returns:
            Its learner, what it would have published, and the epochs whose state differed.
        """
        learner = self.new_learner()
        transport = MemoryTransport(self.broker, instance=instance)
        positions = Positions()
        reproduction = Reproduction(LocalHost(learner), self.new_codec(), transport, positions, "")
        published: list[tuple[int, bytes]] = []
        for position, record in transport.journal(0)[0]:
            applied = reproduction.apply(record, position, publishing=True)
            assert applied is not None
            for partition, records in applied.by_partition():
                values = [r.value or b"" for r in records if r.topic == "scores"]
                published += [(partition, value) for value in values]
        self._finish(learner, instance)
        return learner, sorted(published, key=lambda item: item[0]), reproduction.differing

    def _finish(self, learner: Any, instance: int) -> None:
        """Do what the daemon did after its last record and had yet to journal."""
        pending = self.engines[instance].positions
        for epoch in range(learner.epoch, self.learners[instance].epoch + 1):
            for dropped_in, partition in pending.dropped:
                if dropped_in == epoch:
                    learner.rebuild(partition, None)
            if epoch in pending.closed:
                learner.close_epoch(pending.closed[epoch])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def stop_after(num_transactions: int, stopping: threading.Event) -> Callable[[Summary], None]:
    """A progress callable that asks the engine to drain after so many transactions."""

    def count(summary: Summary) -> None:
        if summary.transactions >= num_transactions:
            stopping.set()

    return count
