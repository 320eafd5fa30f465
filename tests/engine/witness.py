"""What anybody can see of an instance on Kafka from outside, and how it is killed at a moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kafka import KafkaConsumer, TopicPartition

from streamssl.engine.start import CHECKPOINTS
from streamssl.transport.journal import JournalRecord, decode_record
from streamssl.transport.kafka.reader import open_consumer
from streamssl.transport.kafka.security import client_settings
from tests.engine.deployment import NUM_PARTITIONS, Deployment


class Witness:
    """Follows an instance from outside: its journal, read_committed, and its state directory.

    Attributes:
        records: The journal so far.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.records: list[JournalRecord] = []
        self._checkpoints = deployment.state_dir / CHECKPOINTS
        self._tp = TopicPartition(f"{deployment.app}.journal", 0)
        settings = client_settings(deployment.kafka)
        self._consumer = open_consumer(settings)
        # Asking the broker takes longer than a transaction; this one is told of every record.
        self._ahead = KafkaConsumer(**settings, metrics_enabled=False)
        for consumer in (self._consumer, self._ahead):
            consumer.assign([self._tp])
            consumer.seek(self._tp, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Free the connections."""
        self._consumer.close(autocommit=False)
        self._ahead.close(autocommit=False)

    def look(self, wait_s: float = 0.05) -> None:
        """Take in what was committed meanwhile, or what is next if it comes in time."""
        for messages in self._consumer.poll(timeout_ms=int(1_000 * wait_s)).values():
            self.records += [decode_record(message.value) for message in messages]

    def settle(self, seconds: float) -> None:
        """Take in all that is committed for some time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.look(0.01)

    def num_taken(self) -> int:
        """Messages of all transactions so far."""
        return sum(n for record in self.records for _, _, n, _ in record.ranges.values())

    def in_open_epoch(self) -> bool:
        """An epoch has begun, on all partitions, and still takes events."""
        open_epoch = [record for record in self.records if record.epoch == self._epoch()]
        partitions = {partition for record in open_epoch for partition in record.ranges}
        return len(partitions) == NUM_PARTITIONS and not self._is_full()

    def between_commit_and_learning(self) -> bool:
        """The last commit filled the epoch, and the state after it is not being saved.

        Where every epoch's end is saved, this says that learning was not over.
        """
        return self._is_full() and not any(self._saved(self._epoch() + 1))

    def in_checkpoint(self) -> bool:
        """A checkpoint is half written."""
        return any(self._checkpoints.glob(".new-*"))

    def in_transaction(self) -> bool:
        """The journal holds a record of a transaction that has not ended."""
        self._ahead.poll(timeout_ms=5)
        written = self._ahead.position(self._tp)
        if written <= self._consumer.position(self._tp):
            return False
        return written > int(self._consumer.end_offsets([self._tp])[self._tp])

    def _epoch(self) -> int:
        return self.records[-1].epoch if self.records else 0

    def _is_full(self) -> bool:
        """Whether the newest epoch has as many events as it takes (see `StreamModel.target`)."""
        epoch = self._epoch()
        before = _num_events(r for r in self.records if r.epoch < epoch)
        within = _num_events(r for r in self.records if r.epoch == epoch)
        return within > 0 and within >= min(max(before // 16, 32), 64)

    def _saved(self, epoch: int) -> Iterable[Path]:
        return self._checkpoints.glob(f"*checkpoint-{epoch:012d}")


def _num_events(records: Iterable[JournalRecord]) -> int:
    return sum(
        sum(n for _, _, n, _ in record.ranges.values()) - len(record.dead_letters)
        for record in records
    )


@dataclass(frozen=True)
class Death:
    """How a process ended.

    Attributes:
        moment: Where it was killed: `starting`, `anywhere`, or a property of `Witness`.
        num_landed: Transactions that it committed.
        proven: Whether what it left behind shows the moment.
        journal_end: Transactions in the journal at its death.
    """

    moment: str
    num_landed: int
    proven: bool
    journal_end: int


class Killer:
    """Starts processes, one after another, and kills each with -9 at a moment.

    Args:
        deployment: Whose processes they are.
        witness: Sees what they do.
        rng: Decides how long each lives.
    """

    TIMEOUT_S = 60.0
    # What a process had sent when it was stopped has arrived after this time.
    ARRIVED_S = 0.2

    def __init__(self, deployment: Deployment, witness: Witness, rng: random.Random) -> None:
        self._deployment = deployment
        self._witness = witness
        self._rng = rng
        self._until = 0.0

    def kill(self, moment: str, overrides: tuple[str, ...]) -> Death:
        """Start a process, kill it at a moment, and say what is left."""
        self._until = time.monotonic() + self.TIMEOUT_S
        begun = len(self._witness.records)
        self._deployment.produce(self._rng.randint(100, 200))
        seen: Callable[[], bool] = getattr(self._witness, moment, bool)
        with self._deployment.start(*overrides) as process:
            try:
                self._wait_for(process, moment, seen, begun + self._rng.randint(1, 8))
            finally:
                process.kill()
        self._witness.settle(self.ARRIVED_S)
        end = len(self._witness.records)
        return Death(moment, end - begun, seen(), end)

    def _wait_for(
        self,
        process: subprocess.Popen[bytes],
        moment: str,
        seen: Callable[[], bool],
        num_records: int,
    ) -> None:
        if moment == "starting":
            self._turn_until(process, lambda: self._deployment.lock_holder() == process.pid)
            time.sleep(self._rng.uniform(0.0, 1.5))
            return
        self._turn_until(process, lambda: len(self._witness.records) >= num_records)
        if moment == "anywhere":
            moment_s = time.monotonic() + self._rng.uniform(0.0, 0.4)
            self._turn_until(process, lambda: time.monotonic() >= moment_s)
            return
        while True:
            self._turn_until(process, seen, pace_s=0.002)
            os.killpg(process.pid, signal.SIGSTOP)
            self._witness.settle(self.ARRIVED_S)
            if seen():  # It stands still at the moment.
                return
            os.killpg(process.pid, signal.SIGCONT)

    def _turn_until(
        self, process: subprocess.Popen[bytes], seen: Callable[[], bool], pace_s: float = 0.05
    ) -> None:
        """Follow the journal, and never let the process run out of work."""
        while not seen():
            assert process.poll() is None, self._deployment.told()
            assert time.monotonic() < self._until, self._deployment.told()
            self._witness.look(pace_s)
            if self._witness.num_taken() >= self._deployment.num_produced:
                self._deployment.produce(100)
