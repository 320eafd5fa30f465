"""A transport inside one process: the same promises as on Kafka.

`MemoryBroker` is the broker: partitioned topics, groups, transactions, fencing; the demo uses it
where no Kafka can be had. `MemoryTransport` is what an engine holds. Any number of producers,
engines and readers may use one broker from threads.
"""

from streamssl.transport.memory.broker import MemoryBroker
from streamssl.transport.memory.transport import MemoryTransport

__all__ = ["MemoryBroker", "MemoryTransport"]
