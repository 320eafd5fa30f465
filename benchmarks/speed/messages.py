"""The sizes of the daemon's own output messages, so that a bare client can send the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamssl.codecs.registry import build_codec
from streamssl.config.settings import Config
from streamssl.data.events import EventBatch, OutputRecord
from streamssl.stream import StreamLearner

SAMPLE_EVENTS = 4_000


@dataclass(frozen=True, slots=True)
class Messages:
    """What the outputs of an event come to.

    Attributes:
        value_bytes: Mean value of the one message an event; 0 where all is packed.
        packed_bytes: Bytes an event in the packed messages.
        headers: Of a message.
    """

    value_bytes: int
    packed_bytes: float
    headers: list[tuple[str, str]]


def sample_messages(config: Config, batch: EventBatch) -> Messages:
    """Score some events and encode them as the daemon does."""
    learner = StreamLearner(config)
    codec = build_codec(config)
    sample = batch.take(slice(0, SAMPLE_EVENTS))
    single: list[OutputRecord] = []
    packed: list[OutputRecord] = []
    for partition in np.unique(sample.partition).tolist():
        results = learner.process(sample.take(np.flatnonzero(sample.partition == partition)))
        records = codec.encode(results)
        single += [record for record in records if record.key is not None]
        packed += [record for record in records if record.key is None]
    headers = (single or packed)[0].headers
    return Messages(
        value_bytes=round(_bytes(single) / len(single)) if single else 0,
        packed_bytes=_bytes(packed) / len(sample),
        headers=[(name, value.decode()) for name, value in headers],
    )


def _bytes(records: list[OutputRecord]) -> int:
    return sum(len(record.value or b"") for record in records)
