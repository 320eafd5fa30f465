"""Which topic a state and the journal after it were read from: never two mixed in one state."""

from __future__ import annotations

from collections.abc import Iterable

from streamssl.engine.positions import Positions
from streamssl.transport.journal import JournalRecord


def other_topic(topic: str, positions: Positions, records: Iterable[JournalRecord]) -> str | None:
    """The topic that it was instead, None where it was this one or nothing says which.

    Args:
        topic: The input's now.
        positions: Of the state.
        records: Of the journal; those that are part of the state do not matter.
    """
    since = (record.topic for record in records if record.seq > positions.seq)
    return next((other for other in (positions.topic, *since) if other not in (None, topic)), None)
