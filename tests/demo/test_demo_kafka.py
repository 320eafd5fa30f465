"""The whole demo as the README's command line runs it: its own Kafka, its own daemon."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.demo.test_report import KEYS
from tests.readme import COMMAND, COMMANDS

MARK = "DEMO_TEST_MARK"
NUM_PROCESSES = 4  # the demo, the daemon, the broker and the shell that watches it


def processes(mark: str) -> list[str]:
    """Command lines of all processes that inherited the mark from the demo."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:  # It has ended meanwhile, or is not ours.
            continue
    return found


def await_processes(mark: str, state: Callable[[list[str]], bool], timeout_s: float) -> bool:
    """Whether the marked processes come to a state in time."""
    until = time.monotonic() + timeout_s
    while not state(processes(mark)):
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_demo_reports_every_event_once_and_leaves_nothing(tmp_path: Path) -> None:
    """Exit 0, the promised figures, nothing lost or repeated, no process and no file left."""
    report, folder, mark = tmp_path / "report.json", tmp_path / "temporary", uuid.uuid4().hex
    folder.mkdir()
    given = {"30s": "8s", "FILE": str(report)}
    words = [given.get(word, word) for word in COMMANDS["demo"]]
    assert words[2:] == ["--duration", "8s", "--report", str(report)]
    kept = {name: text for name, text in os.environ.items() if not name.startswith("STREAMSSL")}
    with (tmp_path / "told").open("w") as told:
        demo = subprocess.Popen(
            [COMMAND, *words[1:]],
            env={**kept, "TMPDIR": str(folder), MARK: mark},
            stdout=told,
            stderr=subprocess.STDOUT,
        )
    try:
        assert await_processes(mark, lambda seen: len(seen) >= NUM_PROCESSES, 60.0)
        code = demo.wait(150)
    finally:
        demo.terminate()  # It ends daemon and broker; of no effect where it has ended.
        demo.wait(60)
    said = (tmp_path / "told").read_text()
    assert code == 0, said
    figures = json.loads(report.read_text())
    assert list(figures) == KEYS
    assert figures["broker"].startswith("Apache Kafka at "), said
    assert figures["events_lost"] == figures["events_duplicated"] == 0
    assert figures["events_produced"] == figures["events_scored"] > 0
    assert 0.0 < figures["latency_p50_s"] <= figures["latency_p99_s"]
    assert await_processes(mark, lambda seen: not seen, 5.0), processes(mark)
    assert list(folder.glob("streamssl*")) == []
