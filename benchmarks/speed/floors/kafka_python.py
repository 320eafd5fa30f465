"""Bare kafka-python: consume, produce as many messages of the same sizes, commit; no more.

The task is a JSON object on the command line:

- `bootstrap`, `input`, `output` (one message an event), `packed` (one a partition and transaction);
- `events`, `transaction` (most messages in one), `mode`: `both`, `consume` or `produce`;
- `value_bytes` and `headers` of the message an event, 0 bytes for none;
- `packed_bytes` an event in the packed message.

Prints what it did and the seconds that it took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any
from uuid import uuid4

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

NUM_PARTITIONS = 4
Records = dict[TopicPartition, list[Any]]


def consume(task: dict[str, Any]) -> tuple[KafkaConsumer, Iterator[Records]]:
    """A consumer in a group of its own, and what its polls give."""
    consumer = KafkaConsumer(
        task["input"],
        bootstrap_servers=task["bootstrap"],
        group_id=f"floor-{uuid4().hex[:8]}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=task["transaction"],
        metrics_enabled=False,
    )

    def polls() -> Iterator[Records]:
        left = task["events"]
        while left > 0:
            records = consumer.poll(200, max_records=min(left, task["transaction"]))
            left -= sum(map(len, records.values()))
            if records:
                yield records

    return consumer, polls()


def made_up(task: dict[str, Any]) -> Iterator[Records]:
    """Records as a poll would give them, without a broker."""
    share = task["transaction"] // NUM_PARTITIONS
    for _ in range(task["events"] // (share * NUM_PARTITIONS)):
        yield {
            TopicPartition(task["input"], partition): [_Key()] * share
            for partition in range(NUM_PARTITIONS)
        }


class _Key:
    key = b"m123"
    offset = 0


def produce(
    task: dict[str, Any], polls: Iterator[Records], consumer: KafkaConsumer | None
) -> Iterator[int]:
    """One transaction for each poll; gives its number of events when it is committed."""
    producer = KafkaProducer(
        bootstrap_servers=task["bootstrap"],
        transactional_id=f"floor-{uuid4().hex[:8]}",
        linger_ms=2,
        batch_size=256 * 1024,
        max_request_size=8 * 2**20,
        retry_backoff_ms=5,
        acks="all",
        metrics_enabled=False,
    )
    producer.init_transactions()
    for records in polls:
        producer.begin_transaction()
        for tp, run in records.items():
            send(producer, task, tp.partition, run)
        if consumer is not None:
            offsets = {
                tp: OffsetAndMetadata(run[-1].offset + 1, "", -1) for tp, run in records.items()
            }
            producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
        producer.commit_transaction()
        yield sum(map(len, records.values()))
    producer.close()


def send(producer: KafkaProducer, task: dict[str, Any], partition: int, run: list[Any]) -> None:
    """The messages of one partition in one transaction."""
    headers = [(name, value.encode()) for name, value in task["headers"]]
    if task["value_bytes"]:
        value = b"x" * task["value_bytes"]
        for record in run:
            producer.send(
                task["output"], value=value, key=record.key, headers=headers, partition=partition
            )
    if task["packed_bytes"]:
        packed = bytes(round(task["packed_bytes"] * len(run)))
        producer.send(task["packed"], value=packed, headers=headers, partition=partition)


def main() -> None:
    """Do the task; the first poll, or transaction, with which everything begins, is not timed."""
    task = json.loads(sys.argv[1])
    consumer, polls = (None, made_up(task)) if task["mode"] == "produce" else consume(task)
    steps: Iterator[int] = (sum(map(len, records.values())) for records in polls)
    if task["mode"] != "consume":
        steps = produce(task, polls, consumer)
    next(steps)
    began_s = time.perf_counter()
    num_events = sum(steps)
    seconds = time.perf_counter() - began_s
    if consumer is not None:
        consumer.close(autocommit=False)
    told = {
        "events": num_events,
        "seconds": seconds,
        "client": f"kafka-python {version('kafka-python')}",
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
