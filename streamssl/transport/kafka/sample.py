"""The newest messages of the input, to look at: no group is joined, nothing is committed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress

from kafka import TopicPartition

from streamssl.config.sections import InputConfig, KafkaConfig
from streamssl.data.events import Slice
from streamssl.transport.kafka.failures import CLIENT_ERRORS
from streamssl.transport.kafka.range_reader import RangeReader, open_consumer
from streamssl.transport.kafka.retry import RetryPolicy
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.topics import Admin
from streamssl.transport.shares import equal_shares

MAX_MESSAGES = 200


def read_sample(
    *,
    kafka: KafkaConfig,
    input: InputConfig,  # noqa: A002 the section's name
    max_messages: int = MAX_MESSAGES,
) -> list[Slice]:
    """The newest committed messages of the input, in equal shares of its partitions.

    Returns:
        Slices of the partitions that hold any, at most `max_messages` messages in all.

    Raises:
        TransportUnavailableError: Not reachable within `kafka.start_timeout_s`.
        TopicUnreadableError: The records are damaged, or of an unknown compression.
    """
    retry_policy = RetryPolicy(lambda: False)
    retry_policy.set_deadline(kafka.start_timeout_s)
    settings = client_settings(kafka)
    with ExitStack() as opened:
        admin = retry_policy.retry(lambda: Admin(settings))
        _finally(opened, admin.close)
        consumer = retry_policy.retry(lambda: open_consumer(settings))
        reader = RangeReader(
            consumer, topic=input.topic, retry_policy=retry_policy, end=admin.uncommitted_end
        )
        _finally(opened, reader.close)
        num_partitions = retry_policy.retry(lambda: admin.num_partitions(input.topic))
        tps = [TopicPartition(input.topic, partition) for partition in range(num_partitions)]
        oldest = retry_policy.retry(lambda: consumer.beginning_offsets(tps))
        stops = retry_policy.retry(lambda: consumer.end_offsets(tps))
        waiting = {tp.partition: stops[tp] - oldest[tp] for tp in tps}
        shares = equal_shares(waiting, max_messages)
        ranges = {tp.partition: (stops[tp] - shares[tp.partition], stops[tp]) for tp in tps}
        return [
            Slice(partition, 0, start, stop, reader.read(partition, start, stop))
            for partition, (start, stop) in ranges.items()
            if start < stop
        ]


def _finally(opened: ExitStack, close: Callable[[], None]) -> None:
    def closed() -> None:
        with suppress(*CLIENT_ERRORS):
            close()

    opened.callback(closed)
