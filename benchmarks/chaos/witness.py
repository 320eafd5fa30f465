"""What anybody can see of an instance on Kafka from outside."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from kafka import KafkaConsumer, TopicPartition

from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.source import NUM_PARTITIONS
from streamssl.engine.start import CHECKPOINTS
from streamssl.transport.journal import JournalRecord, decode_record
from streamssl.transport.kafka.range_reader import open_consumer
from streamssl.transport.kafka.security import client_settings


class Witness:
    """Follows an instance from outside: its journal, read_committed, and its state directory.

    Attributes:
        records: The journal so far.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.records: list[JournalRecord] = []
        self._written = 0
        self._checkpoints = deployment.state_dir() / CHECKPOINTS
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

    def is_written(self) -> bool:
        """A record has just come into the journal, whether committed or not."""
        self._ahead.poll(timeout_ms=5)
        before, self._written = self._written, self._ahead.position(self._tp)
        return bool(self._written > before)

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
