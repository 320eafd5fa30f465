"""The broker for tests and demo, and the transport when it goes away."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from streamssl.devkit.broker import BrokerUnavailableError, DevBroker
from streamssl.devkit.broker import jars as jars_module
from streamssl.devkit.broker.jars import default_cache_dir, fetch_jars, find_java
from streamssl.transport.base import Receipt
from streamssl.transport.kafka.retry import StoppedError
from tests.transport.kafka_stream import Stream, Worker


@pytest.fixture(scope="module")
def own_broker() -> Iterator[DevBroker]:
    """A broker that these tests may stop."""
    with DevBroker() as broker:
        yield broker


@pytest.mark.kafka
def test_an_outage_loses_and_doubles_nothing_and_hangs_nothing(
    own_broker: DevBroker, unique_name: Callable[[str], str]
) -> None:
    """A commit waits until the broker is back and says so; who shall stop meanwhile does."""
    streams = [Stream(own_broker.bootstrap_servers, unique_name) for _ in range(2)]
    for stream in streams:
        stream.produce(range(400))
    stop = threading.Event()
    with streams[0].joined() as patient, streams[1].joined(stopping=stop.is_set) as stopped:
        workers = [Worker(patient), Worker(stopped)]
        slices = [patient.poll(100, 10.0), stopped.poll(100, 10.0)]
        own_broker.kill()
        receipts: list[Receipt] = []
        waiting = threading.Thread(target=lambda: receipts.append(workers[0].commit(slices[0])))
        waiting.start()
        _wait(lambda: bool(patient.trouble))
        stopped._retry_policy._grace_s = 0.5
        stop.set()
        began = time.monotonic()
        with pytest.raises(StoppedError):
            workers[1].commit(slices[1])
        stopped.close()
        assert time.monotonic() - began < 15.0
        own_broker.restart()
        waiting.join(30)
        assert receipts[0].kept == {piece.partition for piece in slices[0]}
        workers[0].run(400 - sum(len(piece.payload) for piece in slices[0]))
        assert patient.trouble == ""
    with streams[1].joined() as successor:
        Worker(successor).run(400)
    assert [stream.published() for stream in streams] == [Counter(range(400))] * 2


FAKE_JAVA = """#!{python}
import socket, sys
if sys.argv[1] == "-version":
    sys.exit('openjdk version "17.0.1"')
if "kafka.Kafka" in sys.argv:
    listeners = open(sys.argv[-1]).read().split("listeners=PLAINTEXT://")[1]
    server = socket.create_server(("127.0.0.1", int(listeners.split(",")[0].split(":")[1])))
    while True:
        client, _ = server.accept()
        client.sendall(bytes(8))
        client.close()
"""


def test_a_broker_ends_with_its_parent(tmp_path: Path) -> None:
    """However the process dies that started it, nothing is left behind."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(FAKE_JAVA.format(python=sys.executable))
    java.chmod(0o755)
    (tmp_path / f"kafka-{jars_module.kafka_version()}").mkdir()
    script = (
        "import sys, time; from pathlib import Path;"
        "from streamssl.devkit.broker import DevBroker; here = Path(sys.argv[1]);"
        "broker = DevBroker(here, here / 'data'); broker.start();"
        "print('up', flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "JAVA_HOME": str(tmp_path)},
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    started = psutil.Process(parent.pid).children(recursive=True)
    assert any("kafka.Kafka" in process.cmdline() for process in started)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(started, timeout=15)
    assert not alive
    parent.stdout.close()


def test_a_missing_java_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BrokerUnavailableError, match="Java 17"):
        find_java()


def test_an_old_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kafka needs Java 17; an older one is refused with its own words."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BrokerUnavailableError, match=r"too old .*11\.0\.2"):
        find_java()


def test_a_missing_maven_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the jars and without Maven the error says what to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BrokerUnavailableError, match="mvn"):
        fetch_jars(tmp_path)


def test_a_failed_fetch_leaves_no_half_filled_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The cache folder appears only when it is complete."""
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text("#!/bin/sh\necho '[ERROR] no route to repository'; exit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}:/usr/bin:/bin")
    with pytest.raises(BrokerUnavailableError, match="no route to repository"):
        fetch_jars(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_complete_cache_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Maven is asked once; afterwards no network is needed."""
    (tmp_path / f"kafka-{jars_module.kafka_version()}").mkdir()
    monkeypatch.setenv("PATH", "/nowhere")
    assert fetch_jars(tmp_path).parent == tmp_path


def test_the_cache_follows_the_xdg_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    """`XDG_CACHE_HOME` moves the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert default_cache_dir() == Path("/elsewhere/streamssl")


def _wait(condition: Callable[[], bool], *, limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
