"""A transaction in the making: what was taken, what it decoded to, what is published of it.

The daemon fills a draft from polls, recovery and replay fill one from a journal record; from
there on all three run the code below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from streamssl.codecs.base import Decoder
from streamssl.data.events import DeadLetter, Decoded, EventBatch, Range, Schema, Slice
from streamssl.data.results import Results
from streamssl.engine.ports import Codec
from streamssl.engine.slices import messages_of, range_of, without
from streamssl.host import Given, Learner
from streamssl.transport.base import PartitionOutput
from streamssl.transport.journal import POISON


@dataclass
class Part:
    """What a draft holds of one partition."""

    incarnation: int
    pieces: list[Slice] = field(default_factory=list)
    batches: list[EventBatch] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)

    @property
    def range(self) -> Range:
        """The input taken."""
        return range_of(self.pieces)

    @property
    def num_events(self) -> int:
        """Events read from it."""
        return sum(map(len, self.batches))


@dataclass
class Draft:
    """A transaction in the making.

    Attributes:
        parts: What was taken, per partition.
        tails: Input that per-key state was rebuilt from before, per partition.
        num_messages: Messages taken.
        num_events: Events read from them.
        missed: Messages that expired before they were read, per partition.
        began_s: When the first message was taken in.
        polled_s: When it was polled; it may have waited in the intake since.
        full: True where what was polled next cannot join this transaction.
    """

    parts: dict[int, Part] = field(default_factory=dict)
    tails: dict[int, tuple[int, int]] = field(default_factory=dict)
    num_messages: int = 0
    num_events: int = 0
    missed: dict[int, int] = field(default_factory=dict)
    began_s: float = 0.0
    polled_s: float = 0.0
    full: bool = False

    def add(self, piece: Slice, decoded: Decoded) -> None:
        """Take in one slice and what it decoded to."""
        part = self.parts.setdefault(piece.partition, Part(piece.incarnation))
        part.pieces.append(piece)
        if len(decoded.batch):
            part.batches.append(decoded.batch)
        part.dead_letters.extend(decoded.dead_letters)
        self.num_messages += len(piece.payload)
        self.num_events += len(decoded.batch)

    def events(self) -> EventBatch | None:
        """The events of all partitions, one partition after another; None where there are none."""
        parts = [self.parts[partition] for partition in sorted(self.parts)]
        batches = [batch for part in parts for batch in part.batches]
        return EventBatch.concat(batches) if batches else None

    def journalled_dead_letters(self) -> list[tuple[int, int, int]]:
        """(partition, offset, index) of every dead letter, as the journal has them."""
        letters = [letter for p in sorted(self.parts) for letter in self.parts[p].dead_letters]
        return [
            (letter.message.partition, letter.message.offset, _index(letter)) for letter in letters
        ]


@dataclass(frozen=True)
class Scoring:
    """A draft whose scores are under way.

    Attributes:
        given: The results of its events, None where there are none.
    """

    draft: Draft
    given: Given[Results] | None

    def results(self) -> dict[int, Results]:
        """Results per partition that has events, when they are there."""
        return {} if self.given is None else split(self.draft, self.given())


def _index(letter: DeadLetter) -> int:
    if letter.reason == "poison":
        return POISON
    return -1 if letter.index is None else letter.index


def decode(
    decoder: Decoder, piece: Slice, schema: Schema | None, poison: frozenset[int] = frozenset()
) -> Decoded:
    """Read a slice; messages at `poison` become dead letters without being looked at."""
    decoded = decoder.decode(without(piece, poison), schema)
    letters = tuple(
        DeadLetter(message, None, "poison", "the process died three times at this message")
        for message in messages_of(piece)
        if message.offset in poison
    )
    if not letters:
        return decoded
    in_order = sorted(decoded.dead_letters + letters, key=lambda letter: letter.message.offset)
    return replace(decoded, dead_letters=tuple(in_order))


def below(decoded: Decoded, offset: int) -> Decoded:
    """What was decoded from messages below `offset`."""
    num_rows = int(np.searchsorted(decoded.batch.offset, offset))
    letters = tuple(d for d in decoded.dead_letters if d.message.offset < offset)
    return Decoded(decoded.batch.take(slice(0, num_rows)), letters, decoded.schema)


def advance(draft: Draft, learner: Learner) -> dict[int, Results]:
    """Score all partitions' events in one call; results per partition that has events."""
    batch = draft.events()
    return {} if batch is None else split(draft, learner.advance(batch))


def split(draft: Draft, results: Results) -> dict[int, Results]:
    """Results of a draft's events, per partition that has events."""
    counts = {p: part.num_events for p, part in sorted(draft.parts.items()) if part.batches}
    stops = np.cumsum(list(counts.values())).tolist()
    starts = [0, *stops[:-1]]
    if len(counts) == 1:
        return dict.fromkeys(counts, results)
    return {p: results.take(slice(a, b)) for p, a, b in zip(counts, starts, stops, strict=True)}


def encode(
    draft: Draft, results: Mapping[int, Results], codec: Codec
) -> dict[int, PartitionOutput]:
    """What is published of a draft, per partition."""
    return {
        partition: PartitionOutput(
            range=part.range,
            incarnation=part.incarnation,
            records=codec.encode(results.get(partition), tuple(part.dead_letters)),
            results=(results[partition],) if partition in results else (),
        )
        for partition, part in sorted(draft.parts.items())
    }
