"""The daemon's loop: poll, decode, score, publish, commit; and when an epoch ends, learn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from streamssl.config.budget import parse_budget
from streamssl.config.environment import environment_hash
from streamssl.config.root import Config
from streamssl.engine.attempts import Attempts
from streamssl.engine.checkpoints import Checkpoints, Saved
from streamssl.engine.draft import Draft, Scoring, encode
from streamssl.engine.epochs import Epochs
from streamssl.engine.gather import Gatherer
from streamssl.engine.intake import Intake
from streamssl.engine.ports import Codec
from streamssl.engine.positions import Positions
from streamssl.engine.publisher import Publisher
from streamssl.engine.start import CHECKPOINTS, start
from streamssl.engine.watch import Summary, Watch
from streamssl.host import Closed, Given, Host, LearnerProcessError
from streamssl.telemetry import Health, Metrics
from streamssl.transport.base import Transport

TELL_EVERY_S = 1.0


class Engine:
    """One instance: recovers, then processes its partitions until told to stop.

    Every event is scored by the state that the epochs before its own left; an epoch is learnt
    only after its last transaction was acknowledged. Whatever moment the process is killed at,
    the next one continues as if nothing had happened.

    Args:
        config: The configuration.
        transport: Input, output and journal; not yet opened.
        host: Of the learner, fresh.
        codec: Bytes to columns and back.
        state_dir: Folder for checkpoints; None keeps nothing (files, tests).
        init_from: Folder of a checkpoint to begin from where `state_dir` holds none.
        live: False for input without a clock: transactions and epochs end by count only.
        clock: Seconds that only grow.
        metrics: Where figures go.
        health: Where the lifecycle goes.
        stopping: Set from outside (a signal) to drain and end.
        on_progress: Called at every turn of the loop.
    """

    def __init__(
        self,
        *,
        config: Config,
        transport: Transport,
        host: Host,
        codec: Codec,
        state_dir: Path | None = None,
        init_from: Path | None = None,
        live: bool = True,
        clock: Callable[[], float] = time.monotonic,
        metrics: Metrics | None = None,
        health: Health | None = None,
        stopping: threading.Event | None = None,
        on_progress: Callable[[Summary], None] | None = None,
    ) -> None:
        self._config = config
        self._transport = transport
        self._host = host
        self._scoring: Scoring | None = None
        self._closing: Given[Closed] | None = None
        self._codec = codec
        self._state_dir = state_dir
        self._init_from = init_from
        self._clock = clock
        self._live = live
        self._stopping = stopping or threading.Event()
        self._on_progress = on_progress
        self._watch = Watch(
            topic=transport.topic,
            budget=parse_budget(config.alerts.budget),
            metrics=metrics or Metrics(),
            health=health or Health(),
            clock=clock,
        )
        self._checkpoints = Checkpoints(
            directory=state_dir and state_dir / CHECKPOINTS, config=config.checkpoint, clock=clock
        )
        self._epochs = Epochs(
            learner=host,
            delivery=config.delivery,
            learn=config.learn,
            clock=clock if live else None,
        )
        self._attempts: Attempts | None = None
        self._positions = Positions()
        self._state_crc32c = 0
        self._told_s = float("-inf")
        self._intake: Intake
        self._gatherer: Gatherer
        self._publisher: Publisher

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
            self._watch.joined()
            while not self._over():
                self._step()
            self._drain()
        except Exception as error:
            vanished = isinstance(error, LearnerProcessError) and error.vanished
            if self._attempts and not vanished:
                self._attempts.excuse()
            raise
        finally:
            self._host.close()
            self._transport.close()
        return self.summary

    def _step(self) -> None:
        """One transaction is taken in and its scoring begun; the one before is published.

        Where that one was the epoch's last, the epoch is learnt while the next is taken in.
        """
        before, self._scoring = self._scoring, None
        draft = self._gatherer.gather(before.draft if before else None)
        if draft:
            self._scoring = self._score(draft)
        if before:
            self._publish(before)
        if not (draft or before):  # Nobody else asks how learning and saving went.
            self._epoch_learnt()
        reason = None if self._scoring else self._epochs.over()
        if reason and not self._stopping.is_set():
            self._close_epoch(reason)
        self._tell()

    def _score(self, draft: Draft) -> Scoring:
        """Begin to score with the frozen state, and to advance the per-key context."""
        batch = draft.events()
        return Scoring(draft, None if batch is None else self._host.begin(batch))

    def _publish(self, scoring: Scoring) -> None:
        """Encode what was scored, and commit it."""
        self._epoch_learnt()
        draft = scoring.draft
        with self._watch.stage("wait"):
            results = scoring.results()
        with self._watch.stage("encode"):
            outputs = encode(draft, results, self._codec)
        if self._attempts:
            self._attempts.survived({p: part.range.stop for p, part in draft.parts.items()})
        self._publisher.commit(draft, outputs, state_crc32c=self._state_crc32c)

    def _close_epoch(self, reason: str) -> None:
        """Begin to learn the epoch, whose every transaction was acknowledged; then checkpoint."""
        self._epoch_learnt()
        decisions = self._epochs.decide(reason, sum(self._intake.lag().values()))
        self._positions.closed[self._host.epoch] = decisions
        self._closing = self._host.begin_close(decisions)
        self._checkpoint()

    def _epoch_learnt(self) -> None:
        """The last epoch that was closed is learnt: its state scores what comes."""
        if self._closing:
            with self._watch.stage("wait"):
                report, self._state_crc32c = self._closing()
            self._closing = None
            self._watch.learnt(report)

    def _checkpoint(self, *, now: bool = False) -> None:
        # What was replayed counts too, or processes that die soon replay more every time.
        num_events = self.summary.recovered + self.summary.events
        self._checkpoints.epoch_ended(self._host, self._positions, num_events, now=now)

    def _checkpointed(self, saved: Iterable[Saved]) -> None:
        for one in saved:
            self._watch.checkpointed(one)
            if one.release is not None:
                self._transport.release_journal(one.release)

    def _recover(self) -> None:
        """Newest checkpoint, own journal, and the input read again."""
        self._watch.enter("recovering")
        environment = environment_hash(self._config, self._host.build())
        begun = start(
            config=self._config,
            transport=self._transport,
            host=self._host,
            codec=self._codec,
            state_dir=self._state_dir,
            init_from=self._init_from,
            environment=environment,
            stopping=self._still_stopping,
        )
        self._positions, self._state_crc32c = begun.positions, begun.state_crc32c
        self._watch.recovered(begun.source, begun.num_events)
        if begun.gap:  # What is left of the journal before it leads nowhere.
            self._checkpoint(now=True)
            self._checkpointed(self._checkpoints.flush(self._host))
        self._watch.worry(self._positions.changes)
        if self._state_dir:
            self._attempts = Attempts(self._state_dir / "attempts.json")
        self._intake = Intake(
            transport=self._transport,
            positions=self._positions,
            tail_events=self._config.modality.tail_events,
            clock=self._clock,
        )
        self._gatherer, self._publisher = self._new_gatherer(), self._new_publisher(environment)

    def _still_stopping(self, num_recovered: int) -> bool:
        self._watch.alive()
        self.summary.recovered = num_recovered
        return self._stopping.is_set()

    def _new_gatherer(self) -> Gatherer:
        return Gatherer(
            transport=self._transport,
            learner=self._host,
            codec=self._codec,
            positions=self._positions,
            intake=self._intake,
            epochs=self._epochs,
            watch=self._watch,
            stopping=self._stopping,
            attempts=self._attempts,
            max_poll_messages=self._config.input.max_poll_messages,
            live=self._live,
            clock=self._clock,
        )

    def _new_publisher(self, environment: str) -> Publisher:
        return Publisher(
            instance=self._config.app.instance,
            environment=environment,
            transport=self._transport,
            learner=self._host,
            positions=self._positions,
            intake=self._intake,
            watch=self._watch,
            clock=self._clock,
        )

    def _tell(self) -> None:
        """Say where this instance stands; the slow part of it once a second."""
        self._watch.alive()
        self._watch.took(self._host.took())
        self._checkpointed(self._checkpoints.ended(self._host))
        if self._on_progress:
            self._on_progress(self.summary)
        now_s = self._clock()
        if now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            self._watch.holds(self._transport.assignment(), self._intake.lag())

    def _drain(self) -> None:
        """Publish what is in hand, save the last epoch's end, forget attempts."""
        self._watch.enter("draining")
        if self._scoring:
            self._publish(self._scoring)
        self._epoch_learnt()
        self._checkpointed(self._checkpoints.flush(self._host))
        if self._attempts:
            self._attempts.clear()

    def _over(self) -> bool:
        if self._stopping.is_set():
            return True
        ended = self._transport.exhausted() and not self._intake.stash
        return ended and self._scoring is None and self._epochs.over() is None
