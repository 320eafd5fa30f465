"""The process: its folder, its broker, its signals, and how it ends."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from streamssl.arithmetic.allocator import keep_freed_memory
from streamssl.checkpoint import lock
from streamssl.codecs.registry import build_codec
from streamssl.config.root import Config
from streamssl.data.events import StreamsslError
from streamssl.engine.engine import Engine
from streamssl.engine.signals import RepeatFilter
from streamssl.engine.story import tell_starting
from streamssl.engine.summary import Summary
from streamssl.host import Host, ProcessHost
from streamssl.telemetry import Health, Metrics, TelemetryServer
from streamssl.telemetry.log_events import tell
from streamssl.transport.kafka import KafkaTransport

log = logging.getLogger(__name__)

FORCED_EXIT = 143
DRAIN_LIMIT_S = 18.0


def run_daemon(
    config: Config, learner: ProcessHost | None = None, init_from: Path | None = None
) -> int:
    """Run one instance on Kafka until SIGTERM or SIGINT drains it.

    Args:
        config: The configuration.
        learner: The learner's process, which is ended here; without one the learner runs in this.
        init_from: Folder of a checkpoint to begin from where the state directory holds none.

    Returns:
        Exit code: 0 after a drain, else that of the error (1 where it is unexpected).
    """
    health, stopping, built = Health(), threading.Event(), threading.Event()
    # Signals first: to build what follows may take long (torch), and an end then has a word, too.
    with _signals(stopping, health, built.is_set):
        tell_starting(config)
        return _run(config, learner, init_from, health, stopping, built)


def _run(
    config: Config,
    learner: ProcessHost | None,
    init_from: Path | None,
    health: Health,
    stopping: threading.Event,
    built: threading.Event,
) -> int:
    try:
        with (
            closing(learner) if learner else nullcontext(),
            lock(config.app.state_dir),
            Daemon(config, learner, init_from, health, stopping) as daemon,
        ):
            built.set()
            summary = daemon.run()
    except StreamsslError as error:
        tell(log, "failed", error=error, exit_code=error.exit_code)
        return error.exit_code
    except Exception:
        tell(log, "defect", with_traceback=True)
        return 1
    tell(log, "drained", **asdict(summary))
    return 0


class Daemon:
    """An engine on Kafka with its telemetry; a context manager.

    Args:
        config: The configuration.
        learner: The learner's process, if it has one.
        init_from: Folder of a checkpoint to begin from where the state directory holds none.
        health: The lifecycle.
        stopping: Set by a signal, from before the daemon is built on.
    """

    def __init__(
        self,
        config: Config,
        learner: ProcessHost | None,
        init_from: Path | None,
        health: Health,
        stopping: threading.Event,
    ) -> None:
        self._config = config
        self._health = health
        self._stopping = stopping
        self._opened = ExitStack()
        self._metrics = metrics = Metrics()
        self._num_settled = 0
        self._transport = KafkaTransport(config, stopping=self._waiting)
        host = self._host = learner or _local(config)
        metrics.watch_memory("engine", os.getpid())
        if learner:
            metrics.watch_memory("learner", learner.pid)
        self._opened.callback(host.close)
        self._engine = Engine(
            config=config,
            transport=self._transport,
            host=host,
            codec=build_codec(config),
            state_dir=config.app.state_dir,
            init_from=init_from,
            metrics=metrics,
            health=health,
            stopping=self._stopping,
            on_progress=self._turned,
        )
        if config.telemetry.enabled:
            self._serve(metrics)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def run(self) -> Summary:
        """Run the engine until a signal drains it; what it did."""
        return self._engine.run()

    def _serve(self, metrics: Metrics) -> None:
        telemetry = self._config.telemetry
        server = TelemetryServer(
            health=self._health,
            registry=metrics.registry,
            status=self._status,
            host=telemetry.host,
            port=telemetry.port,
        )
        self._opened.callback(server.close)
        tell(log, "telemetry", address="{}:{}".format(*server.address))

    def _status(self) -> dict[str, Any]:
        app = self._config.app
        return {"app": app.name, "instance": app.instance, **asdict(self._engine.summary)}

    def _waiting(self) -> bool:
        """The transport waits for the broker: the loop lives, and may be asked to stop.

        Raises:
            LearnerProcessError: The learner's process has ended meanwhile.
        """
        self._host.check_alive()
        self._health.beat()
        self._tell_trouble()
        return self._stopping.is_set()

    def _turned(self, _: Summary) -> None:
        self._tell_trouble()
        num_settled = self._transport.num_settled
        self._metrics.transactions_settled.inc(num_settled - self._num_settled)
        self._num_settled = num_settled

    def _tell_trouble(self) -> None:
        trouble = self._transport.trouble
        if trouble:
            self._health.broker_away(trouble)
        else:
            self._health.broker_back()


def _local(config: Config) -> Host:
    # Here, so that an engine beside its learner's process never loads torch.
    from streamssl.host.local import LocalHost
    from streamssl.stream import StreamLearner
    from streamssl.stream.statistics_thread import take_short_turns

    keep_freed_memory()
    take_short_turns()
    return LocalHost(StreamLearner.from_config(config), background_save=True)


@contextlib.contextmanager
def _signals(
    stopping: threading.Event, health: Health, is_built: Callable[[], bool]
) -> Iterator[None]:
    """The first SIGTERM or SIGINT drains; a second wish, or a drain that hangs, ends at once.

    So does the first one before the daemon is built, when there is nothing to drain.
    """
    is_repeat = RepeatFilter()

    def leave() -> None:
        # Safe at any moment: the next start recovers from the journal, as after a kill -9.
        tell(log, "forced_end")
        end(FORCED_EXIT)

    def end(code: int) -> None:
        logging.shutdown()
        os._exit(code)

    def stop(number: int, _: FrameType | None) -> None:
        if is_repeat():
            return
        if stopping.is_set():
            leave()
        else:
            stopping.set()
            health.drain()
            tell(log, "draining", signal=signal.Signals(number).name)
            if not is_built():
                tell(log, "drained", **asdict(Summary()))
                end(0)
            deadline.start()

    deadline = threading.Timer(DRAIN_LIMIT_S, leave)
    deadline.daemon = True
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        deadline.cancel()
        if not stopping.is_set():  # Or else the process ends, and a repeat would kill it before.
            for number, handler in before.items():
                signal.signal(number, handler)
