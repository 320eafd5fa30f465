"""The engine's process loads no torch and no river: the learner's does, beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from streamssl.checkpoint.store import checkpoints
from streamssl.engine.start import CHECKPOINTS

# What `streamssl run` imports, and a whole run of its engine: recovery, scores, an epoch learnt,
# a checkpoint; the broker alone is in memory.
WHOLE_RUN = """
import sys, threading
from pathlib import Path
import streamssl.cli.app
from streamssl.codecs.registry import build_codec
from streamssl.config.root import Config
from streamssl.engine import Engine, run_daemon
from streamssl.host import ProcessHost
from streamssl.transport.memory import MemoryBroker, MemoryTransport

config = Config.model_validate({"input": {"topic": "events"}})
host = ProcessHost(config)
broker = MemoryBroker(num_partitions=1)
for i in range(40):
    broker.produce("events", 0, b'{"a": %d, "b": 1.5}' % i, key=b"m")
stopping = threading.Event()
engine = Engine(
    config=config,
    transport=MemoryTransport(broker, topic="events", app="app"),
    host=host,
    codec=build_codec(config),
    state_dir=Path(sys.argv[1]),
    stopping=stopping,
    on_progress=lambda done: done.epochs and stopping.set(),
)
done = engine.run()
print(done.events, done.epochs, *(name in sys.modules for name in ("torch", "river")))
"""
# As it ends where no broker answers.
NO_BROKER = """
import socket, sys
from pathlib import Path
from streamssl.config.root import Config
from streamssl.engine import run_daemon
from streamssl.host import ProcessHost

with socket.create_server(("127.0.0.1", 0)) as taken:
    port = taken.getsockname()[1]
config = Config.model_validate({
    "app": {"state_dir": sys.argv[1]},
    "input": {"topic": "events"},
    "kafka": {"bootstrap_servers": f"127.0.0.1:{port}", "start_timeout_s": 1},
    "telemetry": {"port": 0},
})
print(run_daemon(config, ProcessHost(config)), "torch" in sys.modules)
"""


def told(code: str, folder: Path) -> str:
    """What a fresh interpreter prints."""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=240
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_whole_run_loads_no_torch(tmp_path: Path) -> None:
    """It scores, learns an epoch and saves it; the arithmetic is in the learner's process."""
    assert told(WHOLE_RUN, tmp_path) == "40 1 False False\n"
    assert len(checkpoints(tmp_path / CHECKPOINTS)) == 1


def test_the_daemon_loads_no_torch(tmp_path: Path) -> None:
    """From its first import to its end, which is early here; the learner's process ends with it."""
    assert told(NO_BROKER, tmp_path) == "3 False\n"
