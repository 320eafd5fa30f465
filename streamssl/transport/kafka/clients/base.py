"""What a client library does for a running daemon: consume as a member, write in transactions.

Failures speak kafka-python's words (`kafka.errors`), whichever library met them, so that what
is waited out, told or settled is decided in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from streamssl.data.events import Message, OutputRecord
from streamssl.transport.kafka.assignments import Assignments

# Bytes of a record beside its key, value and headers, generously.
RECORD_OVERHEAD = 128
# More than the headers of our own making take, and the overhead.
HEADERS = 4_096
# How long the broker may keep a fetch of idle partitions.
FETCH_WAIT_MS = 50
# Small fetches, so that one round of all partitions fits into the stash and none waits long
# behind another's backlog; a single larger message is still delivered.
FETCH_BYTES = 256 * 1024
# How soon partitions that were added are seen.
METADATA_AGE_MS = 60_000
# After each commit the broker answers "concurrent transactions" until its markers are written;
# the usual wait of 100 ms would then be the throughput.
RETRY_BACKOFF_MS = 5
LINGER_MS, BATCH_BYTES = 2, 256 * 1024
# How long a producer waits for the first answer of a coordinator, or for metadata.
BLOCK_S = 5.0


class Addressed(msgspec.Struct, frozen=True, gc=False):
    """An output record with the topic and partition that it goes to."""

    topic: str
    partition: int
    record: OutputRecord

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """As the libraries want them."""
        return list(self.record.headers)

    def is_far_below(self, limit: int) -> bool:
        """Whether it is smaller beyond doubt; a dead letter's headers may be of any size."""
        key, value = self.record.key or b"", self.record.value or b""
        return len(key) + len(value) + HEADERS < limit and self.record.topic != "dlq"

    def num_bytes(self) -> int:
        """Size as the broker counts it, rounded up."""
        record = self.record
        size = len(record.key or b"") + len(record.value or b"") + RECORD_OVERHEAD
        for name, value in record.headers:
            size += len(name) + len(value) + 10
        return size


# The offset at which a record stands, or why it was not acknowledged.
Sent = int | BaseException


@dataclass(frozen=True, slots=True)
class Membership:
    """A place in the group under which positions may be committed.

    Attributes:
        is_stable: Whether no rebalance is under way: what is held is what the group gave last.
        native: The same as the library's producer wants it.
    """

    member_id: str
    is_stable: bool
    native: Any


class NoPositionError(Exception):
    """The group has no committed position of some partitions.

    Attributes:
        partitions: Those that cannot begin.
    """

    def __init__(self, partitions: Iterable[int]) -> None:
        """Name the partitions."""
        self.partitions = sorted(partitions)
        super().__init__(f"partitions {self.partitions} have no committed position")


class OutOfRangeError(Exception):
    """The broker does not keep what stands at some positions.

    Attributes:
        positions: Position of each partition that cannot go on.
    """

    def __init__(self, positions: Mapping[int, int]) -> None:
        """Name partitions and positions."""
        self.positions = dict(positions)
        super().__init__(f"nothing is kept at {self.positions}")


class GroupConsumer(Protocol):
    """A static member of the group, reading committed records of one topic.

    Which partitions it holds is told to its `Assignments`, before any record of them is given.
    """

    def join(self) -> None:
        """Enter the group; called again after trouble. The first polls take part."""

    def poll(self, timeout_s: float, max_messages: int) -> Mapping[int, list[Message]]:
        """What came, in offset order per partition; waits up to `timeout_s` for the first.

        Raises:
            NoPositionError: Until `seek` says where these partitions begin.
            OutOfRangeError: Until `seek` says where these partitions go on.
            TopicUnreadableError: The next records cannot be read, now or later.
            FencedInstanceIdError: Another process joined the group as this member.
            KafkaError: Trouble that waiting may mend.
        """

    def membership(self) -> Membership | None:
        """The place in the group, None while there is none."""

    def is_stable(self) -> bool:
        """Whether this is a member of a group in which no rebalance is under way."""

    def member_id(self) -> str:
        """The id that the group gave this process; empty while it is not a member."""

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None if it never committed."""

    def oldest(self, partitions: Iterable[int]) -> dict[int, int]:
        """Oldest position kept, by partition."""

    def newest(self, partitions: Iterable[int], timeout_s: float | None = None) -> dict[int, int]:
        """Position after everything committed, by partition."""

    def known_end(self, partition: int) -> int | None:
        """Position after everything written, as far as it was told already."""

    def position(self, partition: int) -> int | None:
        """Position after everything that `poll` gave, None before it has begun."""

    def seek(self, partition: int, position: int) -> None:
        """Go on there in a partition that is held."""

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit positions outside any transaction.

        Raises:
            CommitFailedError: The membership has ended, or a rebalance is under way.
        """

    def close(self, timeout_s: float) -> None:
        """Stop; the member stays in the group until it is removed or its session ends."""


@dataclass(frozen=True, slots=True)
class ProducerOptions:
    """How a producer writes.

    Attributes:
        transactional_id: Stable name; None writes without transactions.
        transaction_timeout_ms: After this the broker aborts an abandoned transaction.
        request_timeout_ms: Time-out of one request.
        delivery_ms: After this a record that was not acknowledged is given up.
        max_request_bytes: Largest request, and largest record.
        max_batch_bytes: Largest batch that every topic takes whole.
    """

    transactional_id: str | None
    transaction_timeout_ms: int
    request_timeout_ms: int
    delivery_ms: int
    max_request_bytes: int
    max_batch_bytes: int


class Producer(Protocol):
    """Writes in transactions, if it has a name; no call waits for ever.

    After any doubt it is thrown away: nothing has to work but `discard`.
    """

    def init_transactions(self) -> None:
        """Fence every earlier producer of this name, and end what it left open."""

    def begin_transaction(self) -> None:
        """What is sent from now on lands together."""

    def send(self, records: Sequence[Addressed], timeout_s: float) -> list[Sent]:
        """Write; return when each is acknowledged or given up: one outcome a record."""

    def send_positions(self, topic: str, positions: Mapping[int, int], group: Membership) -> None:
        """Add input positions to the transaction.

        Raises:
            CommitFailedError: The membership is not valid any more.
        """

    def commit_transaction(self) -> None:
        """Commit.

        Raises:
            KafkaTimeoutError: No answer within the transaction's time-out; it may have landed.
        """

    def discard(self) -> None:
        """End it, its threads included, with whatever it has not sent; returns at once."""


class Library(Protocol):
    """Makes clients of one library; consumer and producer must be of the same."""

    def new_consumer(
        self, *, topic: str, group: str, member: str, assignments: Assignments
    ) -> GroupConsumer:
        """A consumer that has not joined yet; connects where the library does so at once."""

    def new_producer(self, options: ProducerOptions) -> Producer:
        """A producer; connects where the library does so at once."""
