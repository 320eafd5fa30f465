"""The daemon as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

# The console script may not be on the path; this is what it does.
COMMAND = "from streamssl.cli.app import main; main()"
STOP_S = 30.0
NUM_LAST_LINES = 20


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Daemon:
    """`streamssl run` under a configuration file, its log in a file beside it.

    Args:
        config_path: The configuration; no environment variable overrides it.
        port: Where it serves `/readyz` and `/metrics`.
    """

    def __init__(self, config_path: Path, port: int) -> None:
        self._port = port
        self._log_path = config_path.with_suffix(".log")
        command = [sys.executable, "-c", COMMAND, "run", "-c", str(config_path)]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STREAMSSL_")}
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 our own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean,
                start_new_session=True,  # Ctrl-C is for us; we then end the daemon in order
            )

    def ready(self) -> bool:
        """Whether it says that it processes events."""
        return self._get("readyz") is not None

    def exposition(self) -> str:
        """Its metrics, empty while it does not answer."""
        return self._get("metrics") or ""

    def last_words(self) -> str | None:
        """Its exit code and the end of its log, None while it lives."""
        code = self._process.poll()
        if code is None:
            return None
        lines = self._log_path.read_text(errors="replace").splitlines()[-NUM_LAST_LINES:]
        return "\n".join([f"the daemon ended with exit code {code}; its last lines:", *lines])

    def stop(self) -> None:
        """Let it drain, commit and save; end it by force if that takes too long."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _get(self, path: str) -> str | None:
        try:
            url = f"http://127.0.0.1:{self._port}/{path}"
            with urllib.request.urlopen(url, timeout=2.0) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return None
