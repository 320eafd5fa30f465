"""The independent reader's notes: which events came out, when, and in which incidents."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streamssl.data.events import Message
from streamssl.demo.incidents import IncidentBook
from streamssl.devkit.delivery import DEAD, SCORED, Ledger


class Score(msgspec.Struct):
    """What the demo reads of a published result."""

    id: str
    key: str
    event_time: float
    anomaly: bool
    incident_id: str | None
    top_field: str


class Observer:
    """Takes in the output topics' records.

    Args:
        ledger: Where outcomes are counted.
        book: Where incidents are kept.

    Attributes:
        stream_time: Event time of the newest result.
    """

    def __init__(self, ledger: Ledger, book: IncidentBook) -> None:
        self._ledger = ledger
        self._book = book
        self._decoder = msgspec.json.Decoder(Score)
        self.stream_time = float("-inf")

    def take_scores(self, messages: Sequence[Message], receipt_s: float) -> None:
        """Records of the scores topic, in the order of each partition."""
        for message in messages:
            score = self._decoder.decode(message.value or b"")
            _, partition, offset, _ = score.id.rsplit("/", 3)
            self._ledger.seen(SCORED, int(partition), [int(offset)], receipt_s)
            self.stream_time = max(self.stream_time, score.event_time)
            if score.incident_id is not None:
                self._book.add(
                    score.incident_id, score.key, score.event_time, score.anomaly, score.top_field
                )

    def take_dead_letters(self, messages: Sequence[Message], receipt_s: float) -> None:
        """Records of the dead letter topic."""
        for message in messages:
            origin = dict(message.headers)
            partition, offset = int(origin["origin_partition"]), int(origin["origin_offset"])
            self._ledger.seen(DEAD, partition, [offset], receipt_s)
