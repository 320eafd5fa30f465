"""The README as data, and the deployment that it describes, for `test_readme.py`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from kafka.errors import KafkaError
from typer.testing import CliRunner

from streamssl.cli.app import app
from streamssl.config.sections import KafkaConfig
from streamssl.devkit.clients import TopicReader, TopicWriter, create_topic
from tests.conftest import RunningBroker

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMAND = Path(sys.executable).with_name("streamssl")
SPIKE = 750


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language, in order."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return found


def commands(program: str) -> list[list[str]]:
    """Every command line of a program, in blocks and in the text, as the shell splits it."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", README, flags=re.S | re.M))
    split = [shlex.split(line, comments=True) for line in lines if line.startswith(f"{program} ")]
    return [words for words in split if len(words) > 1]


def kind(words: Sequence[str]) -> str:
    """Which of the tests below runs a command line."""
    verb = words[1]
    for option in ("--online", "--journal", "--init-from", "--input"):
        if option in words:
            return f"{verb} {option}"
    return verb


COMMANDS = {kind(words): words for words in commands("streamssl")}
SNIPPETS = {
    match[1]: block
    for block in blocks("python")
    if (match := re.search(r'KafkaConsumer\("sensors\.(\w+)"', block))
}


def link_configs(folder: Path) -> None:
    """Have the repository's `configs` in a folder."""
    with contextlib.suppress(FileExistsError):
        (folder / "configs").symlink_to(ROOT / "configs")


def start(folder: Path, words: Sequence[str], **settings: str) -> subprocess.Popen[str]:
    """A process of a command line as written, in a folder."""
    link_configs(folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMSSL")}
    return subprocess.Popen(
        [str(COMMAND), *words[1:]],
        cwd=folder,
        env={**kept, "OMP_NUM_THREADS": "1", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(folder: Path, words: Sequence[str], **settings: str) -> str:
    """Run a command line to its end and return what it printed; it must end with 0."""
    process = start(folder, words, **settings)
    told = process.communicate(timeout=60)[0]
    assert process.returncode == 0, f"{shlex.join(words)}: {told}"
    return told


def call(folder: Path, words: Sequence[str], **settings: str) -> str:
    """Like `finish`, for a command that only reads: in this process, which has torch already."""
    link_configs(folder)
    given = {name: None for name in os.environ if name.startswith("STREAMSSL")} | settings
    with contextlib.chdir(folder):
        result = CliRunner().invoke(app, list(words[1:]), env=given)
    assert result.exit_code == 0, f"{shlex.join(words)}: {result.output} {result.exception}"
    return result.output


class Deployment:
    """`streamssl run -c configs/sensor.yaml` under names that no other test uses."""

    def __init__(self, broker: RunningBroker, name: Callable[[str], str], folder: Path) -> None:
        self.bootstrap_servers, self.folder = broker.bootstrap_servers, folder
        self.kafka = KafkaConfig(bootstrap_servers=broker.bootstrap_servers)
        self.app, self.topic = name("sensors"), name("sensors-input")
        create_topic(self.kafka, self.topic, 1)
        self.settings = {
            "STREAMSSL_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "STREAMSSL_APP__NAME": self.app,
            "STREAMSSL_APP__STATE_DIR": f"state/{self.app}",
            "STREAMSSL_INPUT__TOPIC": self.topic,
            "STREAMSSL_TELEMETRY__PORT": "0",
        }

    def produce(self, num_events: int) -> None:
        """Readings of one machine with one spike, and one message that is no JSON."""
        rng = np.random.default_rng(1)
        with TopicWriter(self.kafka, self.topic) as writer:
            for row in range(num_events):
                rpm, pressure, valve = rng.normal(size=3).tolist()
                pressure += 15.0 * (row == SPIKE)
                event = {"rpm": rpm, "pressure": pressure, "valve": valve}
                value = json.dumps(event).encode()
                writer.send(value, key=b"pump-7", partition=0)
            writer.send(b"{no json", key=b"pump-7", partition=0)
            writer.flush()

    def run(self, words: Sequence[str], num_results: int) -> str:
        """Run until so many scores are published, drain with SIGTERM; returns the log."""
        process = start(self.folder, words, **self.settings)
        try:
            self._wait_for(num_results, process)
            process.send_signal(signal.SIGTERM)
            told = process.communicate(timeout=25)[0]
        finally:
            process.kill()
        assert process.returncode == 0, told
        return told

    def _wait_for(self, num_results: int, process: subprocess.Popen[str]) -> None:
        until, found = time.monotonic() + 60.0, 0
        while found < num_results:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < until, f"{found} of {num_results} scores"
            time.sleep(0.5)
            found = self._num_scores()

    def _num_scores(self) -> int:
        try:
            with TopicReader(self.kafka, f"{self.app}.scores") as reader:
                return len(reader.read_to_end())
        except (TypeError, KafkaError):  # the first start is still making the topics
            return 0
