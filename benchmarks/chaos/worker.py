"""One daemon as a process of the command line, and what it tells whoever asks."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chaos.freezing import Freezable
from benchmarks.chaos.vitals import Vitals, vitals
from streamssl.telemetry.server import NUM_THREADS

COMMAND = ("-c", "from streamssl.cli.app import main; main()")
DRAIN_S = 20.0
# Knows no error codes: every answer is an answer.
_any_code = urllib.request.OpenerDirector()
_any_code.add_handler(urllib.request.HTTPHandler())


class Worker(subprocess.Popen[bytes], Freezable):
    """A process.

    Args:
        arguments: Of the command line.
        log: Where its standard error goes.
        state_dir: Where its state is.
        entry: What Python runs.
        stdout: Where its answer goes; the log by default.

    Attributes:
        log: Its own log.
        state_dir: Where its state is.
    """

    def __init__(
        self,
        *arguments: str,
        log: Path,
        state_dir: Path,
        entry: Sequence[str] = COMMAND,
        stdout: int | None = None,
    ) -> None:
        self.log, self.state_dir = log, state_dir
        self._address = ""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STREAMSSL_")}
        with log.open("ab") as stream:
            super().__init__(
                [sys.executable, *entry, *arguments],
                stdout=stream if stdout is None else stdout,
                stderr=stream,
                env={**clean, "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # a group with the learner's process: both can be stopped
            )

    def freeze(self) -> None:
        """Stop it where it stands, the learner's process included."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.killpg(self.pid, signal.SIGCONT)

    def __exit__(self, *error: Any) -> None:
        """Whatever ends the body, the process does not live on."""
        self.kill()
        super().__exit__(*error)

    def probe(self, path: str) -> tuple[int, str]:
        """Code and body of one answer; code 0 where nobody answers."""
        try:
            with _any_code.open(f"http://{self._where()}{path}", timeout=2) as answer:
                return answer.status, answer.read().decode()
        except (OSError, ValueError):
            return 0, ""

    def begin_all_threads(self) -> None:
        """Have telemetry begin all its threads; else it does whenever several ask at once."""
        host, port = self._where().rsplit(":", 1)
        with ExitStack() as held:
            for _ in range(NUM_THREADS):
                held.enter_context(socket.create_connection((host, int(port)), timeout=2))
            time.sleep(1.0)  # a connection that asks nothing takes a thread

    def status(self) -> dict[str, Any]:
        """What it says of itself; empty where it does not answer."""
        code, body = self.probe("/status")
        told: dict[str, Any] = json.loads(body) if code == 200 else {}
        return told

    def num_held(self) -> int:
        """Partitions that it holds; -1 where it does not answer."""
        return int(sum(self._figures("partitions_assigned") or [-1]))

    def lag(self) -> int:
        """Messages that it has not processed yet, as it says; -1 where it does not answer."""
        return int(sum(self._figures("input_lag_records") or [-1]))

    def num_taken(self) -> int:
        """Messages that it is done with, as it says; 0 where it does not answer."""
        return int(sum(self._figures("input_events_total")))

    @contextmanager
    def learner_frozen(self) -> Iterator[None]:
        """The learner's process stopped where it stands while the body runs, the engine's not."""
        (learner,) = psutil.Process(self.pid).children()
        learner.suspend()
        try:
            yield
        finally:
            learner.resume()

    def vitals(self) -> Vitals:
        """What it and the learner's process hold, together."""
        return vitals(self.pid)

    def is_draining(self) -> bool:
        """Whether it has said that it drains."""
        return '"draining"' in self.log.read_text()

    def is_recovered(self) -> bool:
        """Whether its start is over."""
        return self.probe("/startupz")[0] == 200

    def end(self) -> None:
        """End it with -9, if it has not ended, and wait until it is gone."""
        self.kill()
        self.wait()

    def drain(self, limit_s: float = DRAIN_S) -> tuple[int | None, float]:
        """Ask it to end: exit code (None: it had to be killed) and seconds."""
        began_s = time.monotonic()
        self.terminate()
        try:
            return self.wait(limit_s), time.monotonic() - began_s
        except subprocess.TimeoutExpired:
            self.end()
            return None, time.monotonic() - began_s

    def told(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-4_000:]

    def _figures(self, name: str) -> list[float]:
        _, body = self.probe("/metrics")
        return [
            float(n) for n in re.findall(rf"^streamssl_{name}{{.*}} (\S+)$", body, re.MULTILINE)
        ]

    def _where(self) -> str:
        if not self._address:
            lines = [line for line in self.log.read_text().splitlines() if '"telemetry"' in line]
            self._address = json.loads(lines[-1])["address"] if lines else ""
        return self._address


def end_all(workers: Iterable[Worker]) -> None:
    """Whatever ended a scenario, none of its processes lives on."""
    for worker in workers:
        worker.end()


def until(holds: Callable[[], bool], limit_s: float, pace_s: float = 0.1) -> bool:
    """Wait for something; whether it came in time."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pace_s)
    return True
