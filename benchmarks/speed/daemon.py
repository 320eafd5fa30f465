"""The daemon as a process under measurement."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

import yaml

from benchmarks.speed.child import MeasurementError
from benchmarks.speed.exposition import Reading, parse
from streamssl.config.settings import Config

_EVERY_S = 0.5
_STOP_S = 60.0
_NUM_LAST_LINES = 20


class Daemon:
    """`streamssl run` under a configuration; it is stopped at the end of the block.

    Args:
        config: Complete but for the port.
        folder: For its configuration and log.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        self._port = _free_port()
        values: dict[str, Any] = config.model_dump(mode="json", exclude_unset=True)
        values.setdefault("telemetry", {})["port"] = self._port
        path = folder / f"{config.app.name}.yaml"
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        self._log = path.with_suffix(".log")
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STREAMSSL_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 our own command
                [sys.executable, "-m", "streamssl", "run", "-c", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def read(self) -> Reading | None:
        """Its figures now; None while it does not answer.

        Raises:
            MeasurementError: It ended; its last lines are in the text.
        """
        if self._process.poll() is not None:
            raise MeasurementError(f"the daemon ended early: {self._last_lines()}")
        try:
            url = f"http://127.0.0.1:{self._port}/metrics"
            with urllib.request.urlopen(url, timeout=5.0) as answer:
                return parse(answer.read().decode(), time.time())
        except (urllib.error.URLError, OSError):
            return None

    def read_until(self, num_events: int, timeout_s: float) -> list[Reading]:
        """Readings twice a second, until it has committed so many events.

        Raises:
            MeasurementError: It ended, or it takes too long.
        """
        readings: list[Reading] = []
        deadline = time.monotonic() + timeout_s
        while not readings or readings[-1].events < num_events:
            time.sleep(_EVERY_S)
            reading = self.read()
            readings += [reading] if reading else []
            if time.monotonic() > deadline:
                done = readings[-1].events if readings else 0
                raise MeasurementError(f"{done} of {num_events} events within {timeout_s:.0f} s")
        return readings

    def stop(self) -> None:
        """Let it drain and save; end it by force if that takes too long."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _last_lines(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_NUM_LAST_LINES:])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
