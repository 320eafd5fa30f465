"""The command line as a process of its own: begun, asked over HTTP, told by signals to end."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from streamssl.config.settings import Config
from streamssl.devkit.exposition import total

# What Python runs; the console script may not be on the path.
ENTRY = ("-m", "streamssl")
NUM_LAST_LINES = 20
_ANSWER_S = 2.0
# Knows no error codes, so every answer is an answer; and no proxies.
_any_code = urllib.request.OpenerDirector()
_any_code.add_handler(urllib.request.HTTPHandler())


class DaemonProcess(subprocess.Popen[bytes]):
    """One verb of the command line in a process; at the end of a `with` block it is drained.

    No environment variable configures it. It leads a process group, with the learner's process
    in it, so that Ctrl-C is for us alone. Where it serves HTTP is read from its log: that takes
    `telemetry.port: 0`, a free one, and a log level that tells it.

    Args:
        arguments: Of the command line.
        log_path: File to which its output is appended.
        entry: What Python runs.
        stdout: Where its answer goes, as `subprocess` has it; to the log by default.

    Attributes:
        log_path: Its log.
        drain_s: Seconds that it gets for a drain before it is killed.
    """

    drain_s = 30.0

    def __init__(
        self,
        *arguments: str,
        log_path: Path,
        entry: Sequence[str] = ENTRY,
        stdout: int | None = None,
    ) -> None:
        self.log_path = log_path
        self._address = ""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STREAMSSL_")}
        with log_path.open("ab") as log:
            super().__init__(
                [sys.executable, *entry, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                env=clean,
                start_new_session=True,
            )

    @classmethod
    def from_config(cls, config: Config, folder: Path, entry: Sequence[str] = ENTRY) -> Self:
        """`run` under a configuration; its file and its log lie in `folder`, named by the app.

        What the configuration says of telemetry is replaced by what asking the process takes.
        """
        values: dict[str, Any] = config.model_dump(mode="json", exclude_unset=True)
        path = folder / f"{config.app.name}.yaml"
        path.write_text(yaml.safe_dump({**values, "telemetry": {"port": 0}}, sort_keys=False))
        return cls("run", "-c", str(path), log_path=path.with_suffix(".log"), entry=entry)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.drain()
        super().__exit__(kind, value, traceback)

    def probe(self, path: str) -> tuple[int, str]:
        """Code and body of one answer; code 0 where nobody answers."""
        try:
            with _any_code.open(f"http://{self.address()}{path}", timeout=_ANSWER_S) as answer:
                return answer.status, answer.read().decode()
        except (OSError, ValueError, http.client.HTTPException):
            return 0, ""

    def is_recovered(self) -> bool:
        """Whether its start is over."""
        return self.probe("/startupz")[0] == 200

    def is_ready(self) -> bool:
        """Whether it says that it processes events."""
        return self.probe("/readyz")[0] == 200

    def status(self) -> dict[str, Any]:
        """What it says of itself; empty where it does not answer."""
        code, body = self.probe("/status")
        told: dict[str, Any] = json.loads(body) if code == 200 else {}
        return told

    def exposition(self) -> str:
        """Its metrics as Prometheus text, empty where it does not answer."""
        return self.probe("/metrics")[1]

    def figure(self, name: str, absent: float = 0.0, **labels: str) -> float:
        """One of its metrics (without `streamssl_`), summed over all other labels."""
        return total(self.exposition(), name, absent, **labels)

    def address(self) -> str:
        """Host and port of its probes and metrics, empty as long as its log does not tell them."""
        if not self._address:
            log = self.log_path.read_text(errors="replace")
            lines = [line for line in log.splitlines() if '"telemetry"' in line]
            self._address = json.loads(lines[-1])["address"] if lines else ""
        return self._address

    def log_tail(self) -> str:
        """The last lines of its log."""
        lines = self.log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-NUM_LAST_LINES:])

    def last_words(self) -> str | None:
        """Its exit code and the end of its log, None while it lives."""
        code = self.poll()
        if code is None:
            return None
        return f"the daemon ended with exit code {code}; its last lines:\n{self.log_tail()}"

    def drain(self) -> tuple[int | None, float]:
        """Ask it to end (SIGTERM): exit code (None: it had to be killed) and seconds."""
        began_s = time.monotonic()
        self.terminate()
        try:
            return self.wait(self.drain_s), time.monotonic() - began_s
        except subprocess.TimeoutExpired:
            self.end()
            return None, time.monotonic() - began_s

    def end(self) -> None:
        """End it with -9, if it has not ended, and wait until it is gone."""
        self.kill()
        self.wait()
