"""The command line as a process: what it is given, what it tells, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from streamssl.config import load_config
from streamssl.devkit.daemon import DaemonProcess

# Logs where it serves, answers with its environment or not at all, and ends when it is told to.
SERVER = """
import json, os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        told = {"/metrics": 'streamssl_lag{partition="0"} 3\\nstreamssl_lag{partition="1"} 4\\n'}
        ours = {name: text for name, text in os.environ.items() if name.startswith("STREAMSSL")}
        told["/status"] = json.dumps(ours)
        self.send_response(503 if self.path == "/readyz" else 200)
        self.end_headers()
        self.wfile.write(told.get(self.path, "well").encode())
    def log_message(self, *_):
        pass
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in sys.argv else lambda *_: sys.exit(7))
server = HTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"message": "telemetry", "address": "127.0.0.1:%d" % server.server_port}))
sys.stdout.flush()
server.serve_forever()
"""


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., DaemonProcess]:
    """Begins a process that serves, and waits until it has said where."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)

    def begin(*arguments: str) -> DaemonProcess:
        path = tmp_path / "log"
        process = DaemonProcess(*arguments, log_path=path, entry=(str(script),))
        deadline = time.monotonic() + 30.0
        while not process.address():
            assert process.poll() is None, process.log_tail()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    return begin


def test_it_tells_by_http_what_it_is_asked(
    serve: Callable[..., DaemonProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every code is an answer, metrics add up, and no variable of ours configures it."""
    monkeypatch.setenv("STREAMSSL_APP__SEED", "7")
    with serve() as process:
        assert process.is_recovered()
        assert not process.is_ready()
        assert process.probe("/livez") == (200, "well")
        assert process.figure("lag") == 7.0
        assert process.figure("lag", partition="1") == 4.0
        assert process.figure("rows", absent=-1.0) == -1.0
        assert process.status() == {}
    assert process.probe("/livez") == (0, "")


def test_it_is_drained_at_the_end_of_the_block(serve: Callable[..., DaemonProcess]) -> None:
    """SIGTERM, and its own exit code; what it wrote is told with the code."""
    with serve() as process:
        assert process.last_words() is None
    assert process.returncode == 7
    words = process.last_words()
    assert words is not None
    assert words.startswith("the daemon ended with exit code 7; its last lines:\n{")


def test_one_that_does_not_end_is_killed(serve: Callable[..., DaemonProcess]) -> None:
    """After its time for a drain; there is no exit code of its own then."""
    process = serve("stubborn")
    process.drain_s = 0.3
    code, seconds = process.drain()
    assert code is None
    assert seconds >= 0.3
    assert process.returncode == -signal.SIGKILL


def test_it_is_our_command_line(tmp_path: Path) -> None:
    """Exit codes are those of `streamssl`, and an answer may be taken from standard output."""
    absent = DaemonProcess("run", "-c", str(tmp_path / "none.yaml"), log_path=tmp_path / "log")
    assert absent.wait(60) == 2
    assert "cannot read" in absent.log_tail()
    told = DaemonProcess("--version", log_path=tmp_path / "log", stdout=subprocess.PIPE)
    assert told.communicate(timeout=60)[0].startswith(b"streamssl ")


def test_a_configuration_becomes_a_file_that_tells_where_it_serves(tmp_path: Path) -> None:
    """What was set is set; telemetry is on a free port and logs it, whatever was said of it."""
    given = {"telemetry": {"enabled": False, "log_level": "ERROR"}, "learn": {"every": 64}}
    config = load_config({"app": {"name": "one"}, **given}, environ={})
    entry = ("-c", "")
    with DaemonProcess.from_config(config, tmp_path, entry) as process:
        assert process.wait(60) == 0
    written = yaml.safe_load((tmp_path / "one.yaml").read_text())
    assert written == {"app": {"name": "one"}, "learn": {"every": 64}, "telemetry": {"port": 0}}
    assert process.log_path == tmp_path / "one.log"
