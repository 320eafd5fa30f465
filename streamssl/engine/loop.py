"""The daemon's loop: poll, decode, score, publish, commit; and when an epoch ends, learn."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamssl.checkpoint import CheckpointError, load_newest
from streamssl.config.environment import environment_hash
from streamssl.config.root import Config
from streamssl.engine.attempts import Attempts
from streamssl.engine.checkpoints import Checkpoints, Saved
from streamssl.engine.draft import Draft, advance, below, decode, encode
from streamssl.engine.epochs import Epochs
from streamssl.engine.intake import Intake
from streamssl.engine.ports import Codec, Learner
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import JournalReplay, rebuild, recover
from streamssl.engine.slices import cut, offset_after
from streamssl.engine.watch import Summary, Watch
from streamssl.events import Decoded, Slice
from streamssl.transport.base import PartitionOutput, Transaction, Transport
from streamssl.transport.journal import JournalRecord

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"


class Engine:
    """One instance: recovers, then processes its partitions until told to stop.

    Every event is scored by the state that the epochs before its own left; an epoch is learnt
    only after its last transaction was acknowledged. Whatever moment the process is killed at,
    the next one continues as if nothing had happened.

    Args:
        config: The configuration.
        transport: Input, output and journal; not yet opened.
        learner: The state, fresh.
        codec: Bytes to columns and back.
        state_dir: Folder for checkpoints; None keeps nothing (files, tests).
        init_from: Folder of a checkpoint to begin from where `state_dir` holds none.
        live: False for input without a clock: transactions and epochs end by count only.
        clock: Seconds that only grow.
        metrics: Where figures go.
        health: Where the lifecycle goes.
        stopping: Set from outside (a signal) to drain and end.
        on_progress: Called after every transaction.
    """

    def __init__(
        self,
        *,
        config: Config,
        transport: Transport,
        learner: Learner,
        codec: Codec,
        state_dir: Path | None = None,
        init_from: Path | None = None,
        live: bool = True,
        clock: Callable[[], float] = time.monotonic,
        metrics: Any = None,
        health: Any = None,
        stopping: threading.Event | None = None,
        on_progress: Callable[[Summary], None] | None = None,
    ) -> None:
        self._config = config
        self._transport = transport
        self._learner = learner
        self._codec = codec
        self._state_dir = state_dir
        self._init_from = init_from
        self._clock = clock
        self._live = live
        self._stopping = stopping or threading.Event()
        self._on_progress = on_progress
        self._environment = environment_hash(config)
        self._watch = Watch(config=config, metrics=metrics, health=health, clock=clock)
        self._checkpoints = Checkpoints(
            directory=state_dir and state_dir / CHECKPOINTS, config=config.checkpoint, clock=clock
        )
        self._epochs = Epochs(
            learner=learner,
            delivery=config.delivery,
            learn=config.learn,
            clock=clock if live else None,
        )
        self._attempts: Attempts | None = None
        self._positions = Positions()
        self._state_crc32c = 0
        self._intake: Intake

    @property
    def summary(self) -> Summary:
        """What this run has done so far."""
        return self._watch.summary

    def run(self) -> Summary:
        """Recover, enter the group, and process until the input ends or `stopping` is set.

        Raises:
            StreamsslError: Something that the user must mend; positions stand.
        """
        try:
            self._transport.open()
            self._recover()
            self._transport.join()
            self._watch.running()
            while not self._over():
                self._step()
            self._drain()
        finally:
            self._transport.close()
        return self.summary

    def _step(self) -> None:
        """One transaction, and the epoch's end if it was the epoch's last."""
        draft = self._gather()
        if draft.parts:
            self._commit(draft, self._score(draft))
        reason = self._epochs.over()
        if reason and not self._stopping.is_set():
            self._close_epoch(reason)

    def _gather(self) -> Draft:
        """Poll and decode until the transaction is full, or its time is over."""
        draft = Draft()
        while not self._stopping.is_set():
            room, wait_s = self._room(draft), self._epochs.wait_s(draft)
            if room == 0 or wait_s == 0.0:
                break
            with self._watch.stage("poll"):
                pieces = self._intake.take(room, wait_s)
            if not draft.parts:
                draft.polled_s = self._clock()
            for piece in pieces:
                self._admit(piece, draft)
            if not pieces and not (draft.parts and self._live):
                break
        return draft

    def _room(self, draft: Draft) -> int:
        room = min(self._epochs.room(draft), self._config.input.max_poll_messages)
        if self._attempts and self._attempts.careful:
            return max(0, min(room, 1 - draft.num_messages))
        return room

    def _admit(self, piece: Slice, draft: Draft) -> None:
        """Decode as much of a slice as the transaction takes; the rest waits for the next."""
        room = self._room(draft)
        if room == 0 or not self._intake.fits(piece, draft):
            draft.full = True
            self._intake.stash.append(piece)
            return
        if self._intake.arrived(piece):
            self._arrive(piece, draft)
        piece, missed = self._intake.next(piece)
        if missed:
            self._miss(piece.partition, missed)
        elif piece.start == piece.stop:
            return
        head, decoded = self._decode(cut(piece, offset_after(piece, room))[0], draft)
        self._intake.put_back(piece, head.stop)
        draft.add(head, decoded)

    def _decode(self, piece: Slice, draft: Draft) -> tuple[Slice, Decoded]:
        """Decode a slice up to the message that fills the epoch."""
        poison: frozenset[int] = frozenset()
        if self._attempts and self._attempts.begin(self._positions.seq, piece):
            poison = frozenset({piece.start})
        with self._watch.stage("decode"):
            decoded = decode(self._codec.decoder, piece, poison)
        self._epochs.read(len(piece.payload), len(decoded.batch))
        left = self._epochs.events_left(draft)
        if len(decoded.batch) < left:
            return piece, decoded
        stop = int(decoded.batch.offset[left - 1]) + 1
        return cut(piece, stop)[0], below(decoded, stop)

    def _arrive(self, piece: Slice, draft: Draft) -> None:
        """A partition came to this instance: keep its per-key state, or rebuild it."""
        tail = self._intake.tail(piece)
        if tail is None:
            return
        if self._attempts and self._attempts.careful:  # The poison may be in there.
            tail = (tail[1], tail[1])
        with self._watch.stage("rebuild"):
            taken = self._transport.reread(piece.partition, *tail)
            rebuild(self._learner, self._codec, piece.partition, taken)
        draft.tails[piece.partition] = tail

    def _miss(self, partition: int, missed: tuple[int, int]) -> None:
        start, stop = missed
        change = f"missed: {partition} [{start}, {stop})"
        log.error("input expired before it was read", extra={"change": change})
        self._positions.changes.append(change)
        self._watch.missed(stop - start)

    def _score(self, draft: Draft) -> dict[int, PartitionOutput]:
        """Score with the frozen state, advance the per-key context, encode."""
        with self._watch.stage("score"):
            results = advance(draft, self._learner)
        with self._watch.stage("encode"):
            return encode(draft, results, self._codec)

    def _commit(self, draft: Draft, outputs: dict[int, PartitionOutput]) -> None:
        """Publish, journal and move positions at once; forget what was not ours any more."""
        transaction = Transaction(self._record(draft, outputs), outputs)
        with self._watch.stage("commit"):
            receipt = self._transport.commit(transaction)
        if receipt.kept:
            landed = transaction.only(receipt.kept)
            self._positions.landed(landed.journal, receipt.journal_position)
            self._watch.committed(draft, landed.parts)
        for partition in sorted(outputs.keys() - receipt.kept):
            self._learner.discard(partition, outputs[partition].range.start)
            self._positions.drop(self._learner.epoch, partition)
            self._intake.forget(partition)
        if self._attempts and receipt.kept:
            self._attempts.end(draft.num_messages)
        if self._on_progress:
            self._on_progress(self.summary)

    def _record(self, draft: Draft, outputs: dict[int, PartitionOutput]) -> JournalRecord:
        positions, fields = self._positions, self._codec.decoder.fields
        ranges = {p: output.range for p, output in outputs.items()}
        return JournalRecord(
            instance=self._config.app.instance,
            seq=positions.seq + 1,
            epoch=self._learner.epoch,
            ranges={p: (r.start, r.stop, r.num_messages, r.crc32c) for p, r in ranges.items()},
            tails=dict(draft.tails),
            dropped=list(positions.dropped),
            dead_letters=draft.journalled_dead_letters(),
            closed={e: (d.reason, d.learn_rate) for e, d in positions.closed.items()},
            fields=list(fields) if fields and positions.fields is None else None,
            state_crc32c=self._state_crc32c,
            environment=self._environment,
            changes=list(positions.changes),
        )

    def _close_epoch(self, reason: str) -> None:
        """Learn the epoch, whose every transaction was acknowledged; then checkpoint."""
        decisions = self._epochs.decide(reason, sum(self._transport.lag().values()))
        self._positions.closed[self._learner.epoch] = decisions
        with self._watch.stage("learn"):
            report = self._learner.close_epoch(decisions)
        self._state_crc32c = self._learner.state_crc32c()
        self._watch.learnt(report)
        self._checkpoint()

    def _checkpoint(self, *, now: bool = False) -> None:
        saved = self._checkpoints.epoch_ended(
            self._learner, self._positions, self.summary.events, now=now
        )
        self._checkpointed(saved)

    def _checkpointed(self, saved: Saved | None) -> None:
        if saved:
            self._watch.checkpointed(saved)
            if saved.release is not None:
                self._transport.release_journal(saved.release)

    def _recover(self) -> None:
        """Newest checkpoint, own journal, and the input read again."""
        self._watch.recovering()
        self._load()
        replay = JournalReplay(
            learner=self._learner,
            codec=self._codec,
            source=self._transport,
            positions=self._positions,
            environment=self._environment,
        )
        records, oldest = self._transport.journal(self._positions.journal)
        gap = recover(replay, records, oldest, stopping=self._stopping.is_set)
        self._state_crc32c = replay.state_crc32c
        self._watch.recovered(replay, gap=gap)
        if gap:  # What is left of the journal before it leads nowhere.
            self._checkpoint(now=True)
        self._intake = Intake(self._transport, self._positions, self._config.modality.tail_events)
        if self._state_dir:
            self._attempts = Attempts(
                self._state_dir / "attempts.json",
                seq=self._positions.seq,
                careful_for=self._config.delivery.max_events,
            )

    def _load(self) -> None:
        found = None
        if self._state_dir:
            found = load_newest(
                self._state_dir / CHECKPOINTS, on_corruption=self._config.checkpoint.on_corruption
            )
        if found:
            self._learner.load_state_dict(found.state["learner"])
            self._positions = Positions.from_state_dict(found.state["engine"])
        elif self._init_from:
            self._learner.load_state_dict(pretrained(self._init_from))

    def _drain(self) -> None:
        """The transaction in hand is committed: save the last epoch's end, forget attempts."""
        self._watch.draining()
        self._checkpointed(self._checkpoints.flush())
        if self._attempts:
            self._attempts.clear()

    def _over(self) -> bool:
        ended = self._transport.exhausted() and not self._intake.stash
        return self._stopping.is_set() or (ended and self._epochs.over() is None)


def pretrained(directory: Path) -> dict[str, Any]:
    """The learner's state of the newest checkpoint in a folder that `--save` wrote.

    Raises:
        CheckpointError: There is none.
    """
    found = load_newest(directory)
    if found is None:
        raise CheckpointError(f"{directory} holds no checkpoint to begin from; see replay --save")
    state: dict[str, Any] = found.state["learner"]
    return state
