"""Every command and every piece of code in the README does what the README says."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from streamssl.codecs.spaces import encode_space
from streamssl.data.spaces import SliceMap, SpaceOpening, VectorSlice, carried
from streamssl.devkit.clients import TopicReader
from tests.conftest import RunningBroker
from tests.readme import (
    COMMANDS,
    ROOT,
    SNIPPETS,
    SPIKE,
    Deployment,
    blocks,
    call,
    commands,
    finish,
    kind,
)

NUM_EVENTS, NUM_ROWS = 800, 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the history that the README backtests."""
    folder = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    with (folder / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "machine", "rpm", "pressure", "valve", "note", "eval_label"])
        for row in range(NUM_ROWS):
            values = [round(float(value), 4) for value in rng.normal(size=3)]
            writer.writerow([1763850000 + row, f"m{row % 2}", *values, "fine", 0])
    return folder


@pytest.fixture(scope="module")
def deployment(kafka_broker: RunningBroker, folder: Path) -> Deployment:
    """A stream that the README's daemon has scored."""
    unique = f"{os.getpid()}-{time.time_ns()}"
    deployment = Deployment(kafka_broker, lambda word: f"{word}-{unique}", folder)
    deployment.produce(NUM_EVENTS)
    deployment.run(COMMANDS["run"], NUM_EVENTS)
    return deployment


def test_every_command_is_run_by_a_test() -> None:
    """A command line that nobody runs would be a promise that nobody checks."""
    files = [words for words in commands("streamssl") if kind(words) == "replay --input"]
    assert len(files) == 2
    assert COMMANDS.keys() == {
        *("validate", "validate --online", "run", "run --init-from"),
        *("replay --input", "replay --journal"),
        "demo",  # by tests/demo/test_demo_kafka.py
        "bench",  # by tests/cli/test_bench.py
    }
    assert SNIPPETS.keys() == {"scores", "embeddings", "incidents", "dlq", "journal", "spaces"}
    assert len(blocks("python")) == len(SNIPPETS) + 2  # from Python, and carrying vectors over


def test_make_lines_name_targets() -> None:
    """What the README makes is in the Makefile, with the variables that it sets."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z_]+) [?:]?=", makefile, re.MULTILINE))
    named = {"bench-speed", "bits", "chaos", "demo", "peers", "setup", "test", "versus"}
    assert {words[1] for words in commands("make")} == named
    for words in commands("make"):
        assert words[1] in targets
        assert {word.partition("=")[0] for word in words[2:]} <= variables
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_short_configuration_agrees_with_the_file() -> None:
    """The README's YAML loads, and says of `configs/sensor.yaml` only what is true."""
    from streamssl.config import Config, load_config

    (block,) = blocks("yaml")
    given: dict[str, dict[str, Any]] = yaml.safe_load(block)
    assert Config(**given) == load_config(ROOT / "configs" / "sensor.yaml")


def test_the_architecture_names_files_that_exist() -> None:
    """Every source file that `docs/architecture.md` names is there, in the room it names."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    files = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("[st]*/**/*.py")]
    named = set(re.findall(r"[a-z_0-9/]+\.py\b", page))
    assert len(named) > 40
    assert [
        name for name in sorted(named) if not any(f"/{f}".endswith(f"/{name}") for f in files)
    ] == []


def test_the_library_example_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run as it stands, the example prints the figures below it."""
    monkeypatch.chdir(tmp_path)
    (example,) = (block for block in blocks("python") if "StreamLearner" in block)
    (expected,) = blocks("text")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "README.md", "exec"), {})
    assert printed.getvalue() == expected


def test_stored_vectors_are_carried_over_as_the_readme_says() -> None:
    """Its lines, run on an announcement as published, give the vectors of the new space."""
    (lines,) = (block for block in blocks("python") if 'change["maps"]' in block)
    rng = np.random.default_rng(0)
    old = rng.normal(size=(5, 9)).astype(np.float32)
    weight, bias = rng.normal(size=(2, 3, 3)), rng.normal(size=(2, 3))
    opening = SpaceOpening(
        space="0/space-3",
        previous="0/space-2",
        reason="doubling",
        slices=(
            VectorSlice("state", 0, 3),
            VectorSlice("network", 3, 6),
            VectorSlice("fault", 6, 9),
        ),
        maps=tuple(
            SliceMap(name, tuple(map(tuple, weight[i].tolist())), tuple(bias[i].tolist()))
            for i, name in enumerate(("fault", "state"))
        ),
    )
    record = SimpleNamespace(value=encode_space(opening, epoch=7, instance=0).value)
    names: dict[str, Any] = {"record": record, "old": old}
    exec(compile(lines, "README.md", "exec"), names)
    np.testing.assert_allclose(names["new"][:, :3], old[:, :3] @ weight[1] + bias[1], rtol=1e-5)
    np.testing.assert_array_equal(names["new"][:, 3:6], old[:, 3:6])
    np.testing.assert_allclose(names["new"][:, 6:], old[:, 6:] @ weight[0] + bias[0], rtol=1e-5)
    np.testing.assert_array_equal(names["new"], carried(old, opening))


def test_validate_tells_the_memory_per_key(folder: Path) -> None:
    """`validate` accepts the example configuration and prints what a key costs."""
    told = call(folder, COMMANDS["validate"])
    assert "is valid" in told
    assert "each key" in told


def test_backtests_give_one_row_per_input_row(folder: Path) -> None:
    """Both backtests run; scores and embeddings have the rows of the file; state is saved."""
    both = [words for words in commands("streamssl") if kind(words) == "replay --input"]
    with ThreadPoolExecutor(len(both)) as pool:
        list(pool.map(lambda words: finish(folder, words), both))
    with (folder / "scores.csv").open() as file:
        assert len(list(csv.DictReader(file))) == NUM_ROWS
    scores = pq.read_table(folder / "scores.parquet")
    assert scores.num_rows == pq.read_table(folder / "vectors.parquet").num_rows == NUM_ROWS
    assert set(scores["key"].to_pylist()) == {"m0", "m1"}
    assert set(scores["top_field"].to_pylist()) <= {"rpm", "pressure", "valve"}
    assert any((folder / "pretrained").glob("checkpoint-*"))


@pytest.mark.kafka
@pytest.mark.timeout(120)
def test_snippets_read_what_the_daemon_published(deployment: Deployment) -> None:
    """Each subscriber of the README, given our broker and an end, prints what it promises."""
    with ThreadPoolExecutor(len(SNIPPETS)) as pool:
        printed = dict(zip(SNIPPETS, pool.map(_subscribe(deployment), SNIPPETS), strict=True))
    scores, letters = printed["scores"], printed["dlq"]
    assert len(scores) == NUM_EVENTS
    assert {line[0] for line in scores} == {"pump-7"}
    assert scores[SPIKE][2:] == ["pressure", "ANOMALY"]
    assert sum(line[0] for line in printed["embeddings"]) == NUM_EVENTS
    assert all(len(line[2]) == 4 for line in printed["embeddings"])
    assert [(line[2], line[3]) for line in letters] == [(str(NUM_EVENTS), b"{no json")]
    assert printed["incidents"][0] == ["start", "pump-7", "pressure", 0.0, []]
    assert printed["spaces"] == [
        [None, "->", "0/provisional", "start", "from epoch", 1],
        ["0/provisional", "->", "0/space-1", "warm-up", "from epoch", 2],
    ]
    assert [line[0] for line in printed["journal"]] == list(range(1, len(printed["journal"]) + 1))


def _subscribe(deployment: Deployment) -> Callable[[str], list[list[Any]]]:
    def subscribe(topic: str) -> list[list[Any]]:
        lines: list[list[Any]] = []
        code = SNIPPETS[topic].replace('"sensors.', f'"{deployment.app}.')
        code = code.replace(
            'bootstrap_servers="localhost:9092"',
            f'bootstrap_servers="{deployment.bootstrap_servers}", consumer_timeout_ms=4000',
        )
        exec(compile(code, "README.md", "exec"), {"print": lambda *words: lines.append([*words])})
        return lines

    return subscribe


@pytest.mark.kafka
@pytest.mark.timeout(120)
def test_validate_online_finds_the_topics(deployment: Deployment) -> None:
    """`validate --online` names the input topic that the broker has."""
    told = call(deployment.folder, COMMANDS["validate --online"], **deployment.settings)
    assert deployment.topic in told.partition("broker:")[2]


@pytest.mark.kafka
@pytest.mark.timeout(120)
def test_the_journal_replay_reproduces_what_was_published(deployment: Deployment) -> None:
    """`replay --journal` ends with 0 and writes the bytes that subscribers saw."""
    finish(deployment.folder, COMMANDS["replay --journal"], **deployment.settings)
    rows = pq.read_table(deployment.folder / "published.parquet").to_pylist()
    with TopicReader(deployment.kafka, f"{deployment.app}.scores") as reader:
        seen = [message.value for message in reader.read_to_end()]
    again = [row["value"] for row in rows if row["topic"].endswith(".scores")]
    assert again == seen
    assert Counter(row["topic"].rpartition(".")[2] for row in rows)["dlq"] == 1


@pytest.mark.kafka
@pytest.mark.timeout(120)
def test_a_daemon_begins_from_what_a_backtest_saved(
    kafka_broker: RunningBroker, unique_name: Callable[[str], str], folder: Path
) -> None:
    """`run --init-from` goes on from the folder that `replay --save` wrote, and drains with 0."""
    save = next(words for words in commands("streamssl") if "--save" in words)
    if not (folder / "pretrained").exists():
        finish(folder, save)
    deployment = Deployment(kafka_broker, unique_name, folder)
    deployment.produce(100)
    deployment.run(COMMANDS["run --init-from"], 100)
    with TopicReader(deployment.kafka, f"{deployment.app}.scores") as reader:
        first = json.loads(reader.read_to_end()[0].value or b"")
    assert first["model"]["epoch"] > 1
