"""`streamssl replay` is told to end before its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from streamssl.cli.replay import replay
from streamssl.config import Config
from streamssl.engine import reproduce
from streamssl.engine.record_file import record_file

NUM_OUTPUTS = 5  # scores, embeddings, dead letters, incidents, journal


def test_a_replay_of_a_file_leaves_no_half_written_file(tmp_path: Path) -> None:
    """In the middle of the rows: exit code 143, and nothing but the input is left.

    However often it comes at once: `timeout` tells a process, and then its whole group.
    """
    source = tmp_path / "input.csv"
    source.write_text("a,b\n" + "".join(f"{row % 97},{row % 89}\n" for row in range(300_000)))
    arguments = ["--input", str(source), "--output", str(tmp_path / "out.parquet")]
    arguments += ["--embeddings", str(tmp_path / "v.parquet"), "--save", str(tmp_path / "saved")]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamssl", "replay", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        until = time.monotonic() + 60.0
        while len(list(tmp_path.glob(".*.part"))) < NUM_OUTPUTS:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.5)
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        told = process.communicate(timeout=30)[1]
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM, told
    assert [path.name for path in tmp_path.iterdir()] == ["input.csv"]


@pytest.mark.usefixtures("signals_as_before")
def test_a_replay_of_the_journal_leaves_no_half_written_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of writing: exit code 143, nothing left; a repeat does not kill."""

    def replay_until_told(_: Config, output: Path) -> int:
        with record_file(output, "app"):
            assert len(list(tmp_path.iterdir())) == 1
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5.0)
        return 0

    monkeypatch.setattr(reproduce, "reproduce_journal", replay_until_told)
    app = typer.Typer()
    app.command()(replay)
    told = CliRunner().invoke(app, ["--journal", "--output", str(tmp_path / "out.parquet")])
    assert told.exit_code == 128 + signal.SIGTERM, told.output
    os.kill(os.getpid(), signal.SIGTERM)
    assert list(tmp_path.iterdir()) == []
