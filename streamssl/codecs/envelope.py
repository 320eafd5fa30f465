"""What output records have in common: CloudEvents headers, and packing into Arrow.

CloudEvents 1.0, Kafka binding, binary mode: the attributes are headers, the value is the data.
`ce_source` and `ce_id` together name one result of one event.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from streamssl.codecs.arrow_reader import write_batch
from streamssl.data.events import EventBatch, Headers, OutputRecord

MAX_RECORD_BYTES = 900_000
_JSON = "application/json"
_ARROW = "application/vnd.apache.arrow.stream"


class Envelope:
    """The headers of one output topic.

    Args:
        topic: `scores`, `embeddings` or `incidents`.
        name: The app's name; part of the source.
        kind: The CloudEvents type, such as `streamssl.score.v1`.
    """

    def __init__(self, *, topic: str, name: str, kind: str) -> None:
        self._topic = topic
        fixed = (
            ("ce_specversion", b"1.0"),
            ("ce_type", kind.encode()),
            ("ce_source", f"/streamssl/{name}/{topic}".encode()),
        )
        self._json: Headers = (*fixed, ("content-type", _JSON.encode()))
        self._arrow: Headers = (*fixed, ("content-type", _ARROW.encode()))

    def json_records(self, batch: EventBatch, values: Iterable[bytes]) -> list[OutputRecord]:
        """One record an event, under the event's key."""
        rows = zip(batch.keys.to_pylist(), batch.ids(), values, strict=True)
        return [
            OutputRecord(
                self._topic,
                key.encode() if key else None,
                value,
                (("ce_id", event_id.encode()), *self._json),
            )
            for key, event_id, value in rows
        ]

    def packed_records(
        self, columns: pa.RecordBatch, max_bytes: int = MAX_RECORD_BYTES
    ) -> list[OutputRecord]:
        """As few records as the broker's limit allows, named by the id of their first event."""
        if columns.num_rows == 0:
            return []
        value = write_batch(columns)
        if len(value) > max_bytes and columns.num_rows > 1:
            half = columns.num_rows // 2
            parts = columns.slice(0, half), columns.slice(half)
            return [record for part in parts for record in self.packed_records(part, max_bytes)]
        first_id = columns.column("id")[0].as_py().encode()
        return [OutputRecord(self._topic, None, value, (("ce_id", first_id), *self._arrow))]
