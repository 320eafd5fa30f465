"""What is published of a transaction: results cut by partition, columns turned into records."""

from __future__ import annotations

import numpy as np

from streamssl.data.results import Results
from streamssl.engine.pending import PendingTransaction
from streamssl.engine.ports import Codec
from streamssl.transport.base import PartitionOutput


def encode(
    pending: PendingTransaction, results: Results | None, codec: Codec
) -> dict[int, PartitionOutput]:
    """What is published of a pending transaction, per partition."""
    scored = {} if results is None else _by_partition(pending, results)
    return {
        partition: PartitionOutput(
            range=part.range,
            incarnation=part.incarnation,
            records=codec.encode(scored.get(partition), tuple(part.dead_letters)),
            results=(scored[partition],) if partition in scored else (),
        )
        for partition, part in sorted(pending.parts.items())
    }


def _by_partition(pending: PendingTransaction, results: Results) -> dict[int, Results]:
    """The results of every partition that has events."""
    counts = {p: part.num_events for p, part in sorted(pending.parts.items()) if part.batches}
    if len(counts) == 1:
        return dict.fromkeys(counts, results)
    stops = np.cumsum(list(counts.values())).tolist()
    starts = [0, *stops[:-1]]
    return {p: results.take(slice(a, b)) for p, a, b in zip(counts, starts, stops, strict=True)}
