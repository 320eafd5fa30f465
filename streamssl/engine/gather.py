"""Filling a transaction: poll and decode, up to the message at which it must end."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from streamssl.data.events import Decoded, Slice
from streamssl.engine.columns import FirstEpoch
from streamssl.engine.crash_log import CrashLog
from streamssl.engine.epochs import Epochs
from streamssl.engine.intake import Intake
from streamssl.engine.pending import PendingTransaction, below, decode
from streamssl.engine.ports import Ports
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import rebuild
from streamssl.engine.slices import head
from streamssl.telemetry.log_events import tell
from streamssl.transport.base import InputExpiredError

log = logging.getLogger(__name__)

# Where something else waits already.
QUICK_POLL_S = 0.002


@dataclass
class Gatherer:
    """Fills transactions with what the intake admits, decoded.

    Attributes:
        positions: Told what expired unread.
        crash_log: Which messages a start looks at with care.
        first_epoch: Decides the columns.
        max_poll_messages: Most messages of one poll.
        live: Whether to wait for more where a poll gave nothing.
    """

    ports: Ports
    positions: Positions
    intake: Intake
    epochs: Epochs
    crash_log: CrashLog
    first_epoch: FirstEpoch
    max_poll_messages: int
    live: bool

    def gather(self, in_flight: PendingTransaction | None = None) -> PendingTransaction | None:
        """Poll and decode until the transaction is full, or its time is over.

        While the learner is busy what comes is taken in, and as soon as it is not, that is scored:
        nothing waits for time to pass then.

        Args:
            in_flight: The transaction before, while it is not published yet.

        Returns:
            None where there is nothing to be scored now.
        """
        if in_flight and self.crash_log.undecided:
            return None
        if not self.first_epoch.settled():
            return None
        ports, pending = self.ports, PendingTransaction()
        is_busy = in_flight is not None or not ports.host.idle()
        while not ports.stopping.is_set():
            room, wait_s = self._room(pending), self.epochs.wait_s(pending)
            if room == 0 or wait_s == 0.0 or self._has_no_columns():
                break
            is_quick = is_busy or self.epochs.has_enough(pending)
            with ports.reporter.stage("poll"):
                pieces = self.intake.take(room, QUICK_POLL_S if is_quick else wait_s)
            if not pending.parts:
                pending.began_s, pending.polled_s = ports.clock(), self.intake.polled_s
            for piece in pieces:
                self._admit(piece, pending, in_flight)
            if self._is_ready(pending, is_busy=is_busy, came=bool(pieces)):
                break
        self.epochs.note_backlog(pending)
        return pending if pending.parts else None

    def _has_no_columns(self) -> bool:
        """Whether nothing more may be taken in: only what is held is known to have no columns."""
        return self.positions.schema is None and not self.intake.stash

    def _is_ready(self, pending: PendingTransaction, *, is_busy: bool, came: bool) -> bool:
        """Whether the transaction takes no more.

        Args:
            pending: What was taken so far.
            is_busy: Whether the learner was at work when the gathering began.
            came: Whether the last poll gave anything.
        """
        if is_busy:
            return self.ports.host.idle()
        if came:
            return False
        return not self._waits_for_more(pending)

    def _waits_for_more(self, pending: PendingTransaction) -> bool:
        """Whether the transaction is kept open though no input is there now."""
        return not self.epochs.has_enough(pending) and bool(pending.parts) and self.live

    def _room(self, pending: PendingTransaction) -> int:
        return min(self.epochs.room(pending), self.max_poll_messages)

    def _admit(
        self, piece: Slice, pending: PendingTransaction, in_flight: PendingTransaction | None
    ) -> None:
        """Decode as much of a slice as the transaction takes; the rest waits for the next."""
        alone = self.crash_log.suspects(piece)
        room = self._room_for(piece, pending, in_flight, alone=alone)
        pending.full = pending.full or room == 0
        admitted = self.intake.offer(piece, room)
        if admitted is None:
            return
        taken, decoded = self._decode(admitted.head, pending)
        if admitted.tail:
            self._rebuild(piece.partition, admitted.tail, pending, careful=alone)
        if admitted.missed:
            self._miss(piece.partition, *admitted.missed, pending)
        self.intake.taken(admitted, taken.stop)
        pending.add(taken, decoded)
        pending.full = pending.full or alone

    def _room_for(
        self,
        piece: Slice,
        pending: PendingTransaction,
        in_flight: PendingTransaction | None,
        *,
        alone: bool,
    ) -> int:
        """Most messages of a slice that may join the transaction now."""
        if not all(other.accepts(piece) for other in (pending, in_flight) if other):
            return 0
        if any(left.partition == piece.partition for left in self.intake.stash):
            return 0  # What waits of the partition comes first.
        if alone:
            return 0 if pending.parts else min(1, self._room(pending))
        return self._room(pending)

    def _decode(self, piece: Slice, pending: PendingTransaction) -> tuple[Slice, Decoded]:
        """Decode a slice up to the message that fills the epoch."""
        self.crash_log.begin(piece)
        poison = self.crash_log.poison_in(piece)
        with self.ports.reporter.stage("decode"):
            decoded = decode(self.ports.codec.decoder, piece, self.positions.schema, poison)
        self.epochs.note_density(len(piece.payload), len(decoded.batch))
        left = self.epochs.events_left(pending)
        if len(decoded.batch) < left:
            return piece, decoded
        stop = int(decoded.batch.offset[left - 1]) + 1
        return head(piece, stop), below(decoded, stop)

    def _rebuild(
        self, partition: int, tail: tuple[int, int], pending: PendingTransaction, *, careful: bool
    ) -> None:
        """A partition came to this instance, and its per-key state is of another time.

        An empty tail is read, and journalled, where there may be poison in it, and where nothing
        has decided the columns yet.
        """
        schema = self.positions.schema
        if careful or schema is None:
            tail = (tail[1], tail[1])
        try:
            taken = self.ports.transport.reread(partition, *tail)
        except InputExpiredError as error:  # Expired since its beginning was asked for.
            tail = (error.available_from, tail[1])
            taken = self.ports.transport.reread(partition, *tail)
        rebuild(self.ports.host, self.ports.codec, partition, taken, schema)
        pending.tails[partition] = tail

    def _miss(self, partition: int, start: int, stop: int, pending: PendingTransaction) -> None:
        """Note it for the journal; it is counted where it lands, by whoever lands it."""
        tell(log, "input_missed", change=self.positions.miss(partition, start, stop))
        pending.missed[partition] = pending.missed.get(partition, 0) + stop - start
