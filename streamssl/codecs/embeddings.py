"""Embeddings to records: packed Arrow, or one JSON message an event.

B = events, D = embedding size.
"""

from __future__ import annotations

from itertools import repeat

import msgspec
import pyarrow as pa

from streamssl.codecs.envelope import Envelope
from streamssl.data.events import OutputRecord
from streamssl.data.results import Results

KIND = "streamssl.embedding.v1"


class EmbeddingValue(msgspec.Struct, gc=False):
    """The value of an embedding message."""

    id: str
    key: str
    event_time: float
    vector: list[float]
    space: str


class JsonEmbeddings:
    """One JSON message an event.

    Args:
        name: The app's name.
    """

    def __init__(self, *, name: str) -> None:
        self._envelope = Envelope(topic="embeddings", name=name, kind=KIND)
        self._encode = msgspec.json.Encoder().encode

    def encode(self, results: Results) -> list[OutputRecord]:
        """One record an event, under the event's key."""
        batch = results.batch
        values = map(
            EmbeddingValue,
            batch.ids(),
            batch.keys.to_pylist(),
            batch.event_time.tolist(),
            results.embedding_BD.tolist(),
            repeat(results.space),
        )
        return self._envelope.json_records(batch, map(self._encode, values))


class ArrowEmbeddings:
    """Packed Arrow IPC: columns `id, key, event_time, vector, space`, one row an event.

    Args:
        name: The app's name.
    """

    def __init__(self, *, name: str) -> None:
        self._envelope = Envelope(topic="embeddings", name=name, kind=KIND)

    def encode(self, results: Results) -> list[OutputRecord]:
        """All events of the results in as few records as the broker's limit allows."""
        batch, vector_BD = results.batch, results.embedding_BD
        columns = {
            "id": pa.array(batch.ids(), pa.utf8()),
            "key": batch.keys,
            "event_time": pa.array(batch.event_time),
            "vector": pa.FixedSizeListArray.from_arrays(
                pa.array(vector_BD.reshape(-1), pa.float32()), vector_BD.shape[1]
            ),
            "space": pa.repeat(pa.scalar(results.space, pa.utf8()), len(batch)),
        }
        return self._envelope.packed_records(pa.RecordBatch.from_pydict(columns))
