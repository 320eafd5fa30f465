"""Filling a transaction: poll and decode, up to the message at which it must end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from streamssl.data.events import Decoded, Slice
from streamssl.engine.attempts import Attempts
from streamssl.engine.draft import Draft, below, decode
from streamssl.engine.epochs import Epochs
from streamssl.engine.intake import Intake
from streamssl.engine.ports import Codec
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import rebuild
from streamssl.engine.slices import cut, offset_after
from streamssl.engine.watch import Watch
from streamssl.host import Host
from streamssl.transport.base import InputExpiredError, Transport

log = logging.getLogger(__name__)

# Where something else waits already.
QUICK_POLL_S = 0.002


@dataclass
class Gatherer:
    """Fills drafts.

    Attributes:
        attempts: Which messages a start looks at with care; None where there is no state
            directory to remember it in.
        max_poll_messages: Most messages of one poll.
        live: Whether to wait for more where a poll gave nothing.
    """

    transport: Transport
    learner: Host
    codec: Codec
    positions: Positions
    intake: Intake
    epochs: Epochs
    watch: Watch
    stopping: threading.Event
    attempts: Attempts | None
    max_poll_messages: int
    live: bool
    clock: Callable[[], float]

    def gather(self, in_flight: Draft | None = None) -> Draft | None:
        """Poll and decode until the transaction is full, or its time is over.

        While the learner is busy what comes is taken in, and as soon as it is not, that is scored:
        nothing waits for time to pass then.

        Args:
            in_flight: The transaction before, while it is not published yet.

        Returns:
            None where there is nothing to be scored now.
        """
        if in_flight and self.attempts and self.attempts.undecided:
            return None
        draft, is_busy = Draft(), in_flight is not None or not self.learner.idle()
        while not self.stopping.is_set():
            room, wait_s = self._room(draft), self.epochs.wait_s(draft)
            if room == 0 or wait_s == 0.0:
                break
            is_quick = is_busy or self.epochs.has_enough(draft)
            with self.watch.stage("poll"):
                pieces = self.intake.take(room, QUICK_POLL_S if is_quick else wait_s)
            if not draft.parts:
                draft.began_s, draft.polled_s = self.clock(), self.intake.polled_s
            for piece in pieces:
                self._admit(piece, draft, in_flight)
            if self.learner.idle() if is_busy else not pieces and self._is_over(draft):
                break
        self.epochs.filled(draft)
        return draft if draft.parts else None

    def _is_over(self, draft: Draft) -> bool:
        """Whether the draft is scored as it is where no input waits."""
        return self.epochs.has_enough(draft) or not (draft.parts and self.live)

    def _room(self, draft: Draft) -> int:
        return min(self.epochs.room(draft), self.max_poll_messages)

    def _admit(self, piece: Slice, draft: Draft, in_flight: Draft | None) -> None:
        """Decode as much of a slice as the transaction takes; the rest waits for the next."""
        room, alone = self._room(draft), self._must_be_alone(piece)
        fits = all(self.intake.fits(piece, other) for other in (draft, in_flight) if other)
        if room == 0 or not fits or (alone and draft.parts):
            draft.full = True
            self.intake.stash.append(piece)
            return
        arrived = self.intake.arrived(piece)
        tail = self.intake.tail(piece) if arrived else None
        piece, missed = self.intake.next(piece)
        if not missed and piece.start == piece.stop:
            if arrived:  # Its state is decided with the first messages, which journal it.
                self.intake.forget(piece.partition)
            return
        # Before the tail: with automatic fields an event that is scored decides them.
        room = 1 if alone else room
        head, decoded = self._decode(cut(piece, offset_after(piece, room))[0], draft)
        if tail:
            self._rebuild(piece.partition, tail, draft, careful=alone)
        if missed:
            self._miss(piece.partition, *missed, draft)
        self.intake.put_back(piece, head.stop)
        draft.add(head, decoded)
        draft.full = draft.full or alone

    def _must_be_alone(self, piece: Slice) -> bool:
        return self.attempts is not None and self.attempts.suspects(piece)

    def _decode(self, piece: Slice, draft: Draft) -> tuple[Slice, Decoded]:
        """Decode a slice up to the message that fills the epoch."""
        poison: frozenset[int] = frozenset()
        if self.attempts:
            self.attempts.taken(piece)
            poison = self.attempts.poison_in(piece)
        with self.watch.stage("decode"):
            decoded = decode(self.codec.decoder, piece, self.positions.schema, poison)
        self.positions.decide(decoded.schema)
        self.epochs.read(len(piece.payload), len(decoded.batch))
        left = self.epochs.events_left(draft)
        if len(decoded.batch) < left:
            return piece, decoded
        stop = int(decoded.batch.offset[left - 1]) + 1
        return cut(piece, stop)[0], below(decoded, stop)

    def _rebuild(
        self, partition: int, tail: tuple[int, int], draft: Draft, *, careful: bool
    ) -> None:
        """A partition came to this instance, and its per-key state is of another time.

        An empty tail is read, and journalled, where there may be poison in it, and where it
        would be the first to decide automatic fields: a replay knows them before the live run did.
        """
        schema = self.positions.schema
        if careful or schema is None:
            tail = (tail[1], tail[1])
        try:
            taken = self.transport.reread(partition, *tail)
        except InputExpiredError as error:  # Expired since its beginning was asked for.
            tail = (error.available_from, tail[1])
            taken = self.transport.reread(partition, *tail)
        rebuild(self.learner, self.codec, partition, taken, schema)
        draft.tails[partition] = tail

    def _miss(self, partition: int, start: int, stop: int, draft: Draft) -> None:
        """Note it for the journal; it is counted where it lands, by whoever lands it."""
        log.error(
            "input expired before it was read",
            extra={"change": self.positions.miss(partition, start, stop)},
        )
        draft.missed[partition] = draft.missed.get(partition, 0) + stop - start
