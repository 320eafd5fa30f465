"""Results as an engine would give them, without one: their values say where they belong."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamssl.data.events import EventBatch, Range
from streamssl.data.results import NEW, OWN, Results
from streamssl.transport.base import PartitionOutput, Transaction
from streamssl.transport.journal import JournalRecord
from tests.made_results import made_results


def results_at(offsets: list[int], *, fields: tuple[str, ...] = ("a", "b")) -> Results:
    """Results of events at some offsets; `raw` is the offset, the last one is an anomaly."""
    offset = np.array(offsets, np.int64)
    size = len(offset)
    batch = EventBatch(
        "input.csv",
        np.zeros(size, np.int64),
        offset,
        np.zeros(size, np.int64),
        pa.array([f"key-{number % 2}" for number in offsets], pa.string()),
        offset.astype(np.float64) + 0.5,
        fields,
        np.ones((size, len(fields)), np.float32),
    )
    last = np.arange(size) == size - 1
    return made_results(
        batch,
        score=1 - 1 / (offset + 2),
        p_value=1 / (offset + 2),
        raw=offset.astype(np.float64),
        threshold=np.full(size, 0.9),
        anomaly=last,
        severity=last.astype(np.int64),
        incident_id=[f"incident-{o}" if a else None for o, a in zip(offsets, last, strict=True)],
        incident_state=last.astype(np.int64),
        warming=np.where(last, OWN, NEW),
        top_field=offset % len(fields),
        raw_scores={"gaussian": offset.astype(np.float64) * 2},
        embedding_BD=np.repeat(offset[:, None], 3, 1).astype(np.float32),
        space="space-0",
    )


def transaction_of(start: int, stop: int, *results: Results, seq: int = 1) -> Transaction:
    """A transaction over rows `[start, stop)` of a file."""
    part = PartitionOutput(Range(0, start, stop, stop - start, 0), 1, [], tuple(results))
    ranges = {0: (start, stop, stop - start, 0)}
    return Transaction(JournalRecord(instance=0, seq=seq, epoch=1, ranges=ranges), {0: part})
