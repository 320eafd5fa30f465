"""Kafka as the transport: the only room that knows kafka-python.

Facts about kafka-python 3.0.12 that shaped it, each with its test where it can be provoked:

- a send that expires fails only its own future: `outbox.py` checks every future;
- commit and abort have no time-out of their own: `patience.bounded`;
- rebalance callbacks run on the client's I/O thread: `assignments.py` only sets flags;
- a rebalance that ends between two polls is thrown away and begun again: `rejoin.py`;
- `pause()` can lose a partition for good, and one partition is drained at a time: `source.py`
  never pauses, it keeps a bounded stash from which partitions are served in equal shares;
- `close()` of a static member does not leave the group: `transport.py` removes it.
"""

from streamssl.transport.kafka.transport import KafkaTransport

__all__ = ["KafkaTransport"]
