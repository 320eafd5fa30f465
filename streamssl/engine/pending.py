"""A transaction on its way: what was taken, what it decoded to, how it scored.

The daemon fills one from polls, recovery and reproduction from a journal record; from there on
all three run the code below.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import numpy as np

from streamssl.codecs.base import Decoder
from streamssl.data.events import BadFields, DeadLetter, Decoded, EventBatch, Range, Schema, Slice
from streamssl.data.results import Results
from streamssl.engine.slices import messages_of, range_of, without
from streamssl.host import Host
from streamssl.transport.journal import POISON


@dataclass
class PendingPart:
    """What a pending transaction holds of one partition."""

    incarnation: int
    pieces: list[Slice] = field(default_factory=list)
    batches: list[EventBatch] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    bad_fields: list[BadFields] = field(default_factory=list)

    @property
    def range(self) -> Range:
        """The range of input that was taken."""
        return range_of(self.pieces)

    @property
    def num_events(self) -> int:
        """Events that were read from its messages."""
        return sum(map(len, self.batches))


@dataclass
class PendingTransaction:
    """A transaction that has not landed yet.

    Attributes:
        parts: What was taken, per partition.
        tails: Input that per-key state was rebuilt from before, per partition.
        num_messages: Messages taken.
        num_events: Events read from them.
        missed: Messages that expired before they were read, per partition.
        began_s: When the first message was taken in.
        polled_s: When it was polled; it may have waited in the intake since.
        full: True where what was polled next cannot join this transaction.
        scores: The results of its events once they were asked for; None where it has none.
    """

    parts: dict[int, PendingPart] = field(default_factory=dict)
    tails: dict[int, tuple[int, int]] = field(default_factory=dict)
    num_messages: int = 0
    num_events: int = 0
    missed: dict[int, int] = field(default_factory=dict)
    began_s: float = 0.0
    polled_s: float = 0.0
    full: bool = False
    scores: Future[Results] | None = None

    def add(self, piece: Slice, decoded: Decoded) -> None:
        """Take in one slice and what it decoded to."""
        part = self.parts.setdefault(piece.partition, PendingPart(piece.incarnation))
        part.pieces.append(piece)
        if len(decoded.batch):
            part.batches.append(decoded.batch)
        part.dead_letters.extend(decoded.dead_letters)
        part.bad_fields.extend(decoded.bad_fields)
        self.num_messages += len(piece.payload)
        self.num_events += len(decoded.batch)

    def accepts(self, piece: Slice) -> bool:
        """Whether a slice may join this transaction, or follow it while its outcome is open.

        One transaction knows one incarnation, and whether the state held of a partition is that
        of the next one is not known before.
        """
        part = self.parts.get(piece.partition)
        return part is None or part.incarnation == piece.incarnation

    def stops(self) -> dict[int, int]:
        """The position after what was taken, per partition."""
        return {p: part.pieces[-1].stop for p, part in self.parts.items()}

    def submit(self, host: Host) -> None:
        """Ask for the scores of its events, one partition after another."""
        batches = [batch for p in sorted(self.parts) for batch in self.parts[p].batches]
        if batches:
            self.scores = host.submit(EventBatch.concat(batches))

    def results(self) -> Results | None:
        """The results of its events when they are there, None where it has none."""
        return None if self.scores is None else self.scores.result()

    def journalled_dead_letters(self) -> list[tuple[int, int, int]]:
        """(partition, offset, index) of every dead letter, as the journal has them."""
        letters = [letter for p in sorted(self.parts) for letter in self.parts[p].dead_letters]
        return [
            (letter.message.partition, letter.message.offset, _index(letter)) for letter in letters
        ]


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
    batch = decoded.batch
    if num_rows < len(batch):
        batch = batch.take(slice(0, num_rows))
    letters = tuple(d for d in decoded.dead_letters if d.message.offset < offset)
    noted = tuple(bad for bad in decoded.bad_fields if bad.offset < offset)
    return Decoded(batch, letters, decoded.schema, noted)
