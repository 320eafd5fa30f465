"""One instance, from its start to its end: recover, enter the group, process, leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from streamssl.config.budget import parse_budget
from streamssl.config.root import Config
from streamssl.data.channels import Choice
from streamssl.engine.checkpoints import Checkpoints
from streamssl.engine.crash_log import CrashLog
from streamssl.engine.input_watch import InputWatch
from streamssl.engine.loop import Loop
from streamssl.engine.metrics import MetricsReporter
from streamssl.engine.ports import Codec, Ports
from streamssl.engine.start import CHECKPOINTS, start
from streamssl.engine.story import Story
from streamssl.engine.summary import Summary
from streamssl.host import Host
from streamssl.telemetry import Health, Metrics
from streamssl.transport.base import Transport

CRASH_LOG = "attempts.json"


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
        self._config, self._live, self._on_progress = config, live, on_progress
        self._state_dir, self._init_from = state_dir, init_from
        metrics = metrics or Metrics()
        reporter = MetricsReporter(
            topic=transport.topic,
            budget=parse_budget(config.alerts.budget),
            metrics=metrics,
            health=health or Health(),
            clock=clock,
            story=Story(config=config, clock=clock),
        )
        watch = InputWatch(
            config=config,
            decoder=codec.decoder,
            metrics=metrics,
            summary=reporter.summary,
            live=live,
        )
        stopping = stopping or threading.Event()
        self._ports = Ports(transport, host, codec, reporter, watch, clock, stopping)
        self._checkpoints = Checkpoints(
            ports=self._ports,
            directory=state_dir and state_dir / CHECKPOINTS,
            config=config.checkpoint,
        )

    def chose_columns(self, choice: Choice) -> None:
        """The columns were decided before the start, as those of a file are."""
        self._ports.watch.chose(choice)

    @property
    def summary(self) -> Summary:
        """What this run has done so far."""
        return self._ports.reporter.summary

    def run(self) -> Summary:
        """Recover, enter the group, and process until the input ends or `stopping` is set.

        Raises:
            StreamsslError: Something that the user must mend; positions stand.
        """
        try:
            self._ports.transport.open()
            loop = self._recover()
            self._ports.transport.join()
            self._ports.reporter.joined()
            loop.run()
        except Exception as error:  # Before all is closed, which takes a while: probes tell it.
            self._ports.reporter.failed(error)
            raise
        finally:
            self._ports.reporter.story.turned(ending=True)
            self._ports.host.close()
            self._ports.transport.close()
        return self.summary

    def _recover(self) -> Loop:
        """Newest checkpoint, own journal, and the input read again; where the loop goes on."""
        reporter = self._ports.reporter
        reporter.enter("recovering")
        begun = start(
            config=self._config,
            ports=self._ports,
            state_dir=self._state_dir,
            init_from=self._init_from,
        )
        self._checkpoints.found(begun.saved_epoch)
        reporter.recovered(begun.source, begun.num_events)
        epoch = self._ports.host.epoch
        reporter.story.recovered(
            num_events=begun.num_events,
            num_records=begun.num_records,
            epoch=epoch,
            gap=begun.gap,
        )
        if begun.gap:  # What is left of the journal before it leads nowhere.
            self._checkpoints.epoch_ended(begun.positions, now=True)
            self._checkpoints.flush()
        reporter.degrade(begun.positions.changes)
        reporter.story.started(
            begun.positions, state=begun.source, epoch=epoch, environment=begun.environment
        )
        known = begun.positions.schema or self._ports.host.schema
        self._ports.watch.began(known or self._ports.codec.decoder.named)
        return Loop(
            config=self._config,
            ports=self._ports,
            begun=begun,
            checkpoints=self._checkpoints,
            crash_log=CrashLog(self._state_dir and self._state_dir / CRASH_LOG),
            live=self._live,
            on_progress=self._on_progress,
        )
