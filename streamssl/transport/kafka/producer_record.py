"""What a producer sends: an output record with the topic and partition that it goes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from streamssl.data.events import OutputRecord
from streamssl.transport.kafka.failures import RecordTooLargeError

# Bytes of a record beside its key, value and headers: 61 of a batch's own and 21 of a record's
# (Kafka's record batch, version 2), rounded up.
RECORD_OVERHEAD = 128
# Bytes of a header beside its name and value: two lengths of up to five bytes.
HEADER_OVERHEAD = 10
# More than the headers of our own making (five, of CloudEvents) and the overhead take.
OWN_HEADERS = 4_096

# The offset at which a record stands, or why it was not acknowledged.
SendOutcome = int | BaseException


class ProducerRecord(msgspec.Struct, frozen=True, gc=False):
    """An output record with the topic and partition that it goes to."""

    topic: str
    partition: int
    record: OutputRecord

    def surely_fits(self, limit: int) -> bool:
        """Whether it is below the limit whatever its headers; never said of dead letters.

        Their headers hold what came, of any size.
        """
        key, value = self.record.key or b"", self.record.value or b""
        return len(key) + len(value) + OWN_HEADERS < limit and self.record.topic != "dlq"

    def num_bytes(self) -> int:
        """Size as the broker counts it, rounded up."""
        record = self.record
        size = len(record.key or b"") + len(record.value or b"") + RECORD_OVERHEAD
        for name, value in record.headers:
            size += len(name) + len(value) + HEADER_OVERHEAD
        return size


def check_sizes(records: Sequence[ProducerRecord], limits: Mapping[str, int]) -> None:
    """Refuse what would fail the whole transaction, before it begins.

    Args:
        records: What is to be sent.
        limits: Largest record of each topic, in bytes.

    Raises:
        RecordTooLargeError: A record is larger than its topic takes.
    """
    for record in records:
        limit = limits.get(record.topic, 0)
        if not record.surely_fits(limit) and record.num_bytes() > limit:
            raise RecordTooLargeError(
                f"a record of {record.num_bytes()} bytes for {record.topic} (partition "
                f"{record.partition}) is over the topic's limit of {limit}; "
                "raise the topic's max.message.bytes, or lower delivery.max_events or "
                "learner.embedding"
            )
