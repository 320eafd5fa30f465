"""The independent reader's notes: which events came out, when, and in which incidents."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streamssl.data.events import Message
from streamssl.demo.incidents import IncidentBook
from streamssl.devkit.delivery import DeliveryLog, by_partition, place_of_dead_letter, place_of_id


class PublishedScore(msgspec.Struct):
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
        log: Where results are counted.
        book: Where incidents are kept.

    Attributes:
        stream_time: Event time of the newest result.
    """

    def __init__(self, log: DeliveryLog, book: IncidentBook) -> None:
        self._log = log
        self._book = book
        self._decode = msgspec.json.Decoder(PublishedScore).decode
        self.stream_time = float("-inf")

    def take_scores(self, messages: Sequence[Message], receipt_s: float) -> None:
        """Records of the scores topic, in the order of each partition."""
        scores = [self._decode(message.value or b"") for message in messages]
        for partition, offsets in by_partition(place_of_id(s.id) for s in scores).items():
            self._log.scored(partition, offsets, receipt_s)
        for score in scores:
            self.stream_time = max(self.stream_time, score.event_time)
            if score.incident_id is not None:
                self._book.add(
                    score.incident_id, score.key, score.event_time, score.anomaly, score.top_field
                )

    def take_dead_letters(self, messages: Sequence[Message], receipt_s: float) -> None:
        """Records of the dead letter topic."""
        places = (place_of_dead_letter(message.headers) for message in messages)
        for partition, offsets in by_partition(places).items():
            self._log.dead_lettered(partition, offsets, receipt_s)
