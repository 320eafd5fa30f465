"""The daemon's loop: poll, decode, score, publish, commit; and when an epoch ends, learn."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from streamssl.config.root import Config
from streamssl.data.results import Spread
from streamssl.engine.checkpoints import Checkpoints
from streamssl.engine.columns import FirstEpoch
from streamssl.engine.crash_log import CrashLog
from streamssl.engine.epochs import Epochs
from streamssl.engine.gather import Gatherer
from streamssl.engine.intake import Intake
from streamssl.engine.outputs import encode
from streamssl.engine.pending import PendingTransaction
from streamssl.engine.ports import Ports
from streamssl.engine.publisher import Publisher
from streamssl.engine.start import Start
from streamssl.engine.summary import Summary
from streamssl.host import Closed, LearnerProcessError

TELL_EVERY_S = 1.0


class Loop:
    """Processes an instance's partitions, from where its recovery ended.

    Args:
        config: The configuration.
        ports: Transport, host and codec, not yet asked for anything that follows.
        begun: Where the recovery ended.
        checkpoints: Saves epoch ends.
        crash_log: Knows at which messages processes died.
        live: False for input without a clock: transactions and epochs end by count only.
        on_progress: Called at every turn.
    """

    def __init__(
        self,
        *,
        config: Config,
        ports: Ports,
        begun: Start,
        checkpoints: Checkpoints,
        crash_log: CrashLog,
        live: bool,
        on_progress: Callable[[Summary], None] | None,
    ) -> None:
        self._ports, self._host, self._reporter = ports, ports.host, ports.reporter
        self._positions, self._state_crc32c = begun.positions, begun.state_crc32c
        self._checkpoints, self._crash_log = checkpoints, crash_log
        self._on_progress, self._told_s = on_progress, float("-inf")
        self._in_flight: PendingTransaction | None = None
        self._closing: Future[Closed] | None = None
        self._spread: Future[Spread] | None = None
        self._epochs = Epochs(
            host=ports.host,
            delivery=config.delivery,
            learn=config.learn,
            clock=ports.clock if live else None,
        )
        self._intake = Intake(
            transport=ports.transport,
            positions=begun.positions,
            tail_events=config.modality.tail_events,
            clock=ports.clock,
        )
        self._gatherer = Gatherer(
            ports=ports,
            positions=begun.positions,
            intake=self._intake,
            epochs=self._epochs,
            crash_log=crash_log,
            first_epoch=FirstEpoch(
                ports=ports,
                positions=begun.positions,
                intake=self._intake,
                crash_log=crash_log,
                max_wait_s=config.learn.max_wait_s if live else None,
            ),
            max_poll_messages=config.input.max_poll_messages,
            live=live,
        )
        self._publisher = Publisher(
            ports=ports,
            positions=begun.positions,
            instance=config.app.instance,
            environment=begun.environment,
        )

    def run(self) -> None:
        """Process until the input ends or the engine is told to stop; then drain."""
        try:
            while not self._over():
                self._step()
            self._drain()
        except Exception as error:
            if not (isinstance(error, LearnerProcessError) and error.vanished):
                self._crash_log.dismiss()
            raise

    def _step(self) -> None:
        """One transaction is taken in and its scoring begun; the one before is published.

        Where that one was the epoch's last, the epoch is learnt while the next is taken in.
        """
        before = self._in_flight
        pending = self._in_flight = self._gatherer.gather(before)
        if pending:
            pending.submit(self._host)
        if before:
            self._publish(before)
        if not (pending or before):  # Nobody else asks how learning and saving went.
            self._await_learning()
            self._checkpoints.idle()
        reason = None if pending else self._epochs.over()
        if reason and not self._ports.stopping.is_set():
            self._close_epoch(reason)
        self._tell()

    def _publish(self, pending: PendingTransaction) -> None:
        """Encode what was scored, and commit it."""
        self._await_learning()
        with self._reporter.stage("wait"):
            results = pending.results()
        with self._reporter.stage("encode"):
            outputs = encode(pending, results, self._ports.codec)
        self._crash_log.processed(pending.stops())
        self._publisher.commit(pending, outputs, state_crc32c=self._state_crc32c)

    def _close_epoch(self, reason: str) -> None:
        """Begin to learn the epoch, whose every transaction was acknowledged; then checkpoint."""
        self._await_learning()
        lag = sum(self._intake.lag().values())
        decisions = self._epochs.decide(reason, lag)
        self._reporter.story.thinned(decisions.learn_rate, lag)
        self._positions.closed[self._host.epoch] = decisions
        self._closing = self._host.close_epoch(decisions)
        self._checkpoints.epoch_ended(self._positions)

    def _await_learning(self) -> None:
        """Wait until the epoch closed last is learnt, if one is: its state scores what comes."""
        if self._closing:
            with self._reporter.stage("wait"):
                report, self._state_crc32c = self._closing.result()
            self._closing = None
            self._reporter.epoch_closed(report)
            self._ports.watch.epoch_closed(report)

    def _tell(self) -> None:
        """Say where this instance stands; the slow part of it once a second."""
        self._reporter.heartbeat()
        self._reporter.observe_stages(self._host.stage_times())
        self._checkpoints.check()
        if self._on_progress:
            self._on_progress(self._reporter.summary)
        now_s = self._ports.clock()
        if now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            self._host.check_alive()
            held = self._ports.transport.assignment()
            self._reporter.report_assignment(held, self._intake.lag())
            self._tell_spread()

    def _tell_spread(self) -> None:
        """Have the spread of embeddings measured if it was looked at, and tell it when it is."""
        if self._spread and self._spread.done():
            self._reporter.observe_spread(self._spread.result())
            self._spread = None
        elif self._spread is None and self._reporter.wants_spread:
            self._spread = self._host.spread()

    def _drain(self) -> None:
        """Publish what is in hand, save the last epoch's end, forget where processes died."""
        self._reporter.enter("draining")
        if self._in_flight:
            self._publish(self._in_flight)
        self._await_learning()
        self._checkpoints.flush()
        self._crash_log.clear()

    def _over(self) -> bool:
        if self._ports.stopping.is_set():
            return True
        ended = self._ports.transport.exhausted() and not self._intake.stash
        return ended and self._in_flight is None and self._epochs.over() is None
