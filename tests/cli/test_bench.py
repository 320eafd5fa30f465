"""`streamssl bench`: the whole path on generated data, its refusals, and a wheel's lack of it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import streamssl
from benchmarks.quality.data import DATA_VARIABLE, BenchDataError
from streamssl.cli.bench import bench_app
from streamssl.config.settings import ConfigError

LIGHT = [
    "learn.burst_steps=8",
    "learner.hidden=16",
    "modality.window=8",
    "scorers.residual.weight=1",
]


def machine_table(number: int) -> pa.Table:
    """900 rows of noise on a level of the machine's own, with a labelled run far off."""
    values_NC = np.random.default_rng(number).standard_normal((900, 2)).astype(np.float32)
    label_N = np.isin(np.arange(900), np.arange(780, 830)).astype(np.int8)
    values_NC[label_N == 1] += 6.0
    return pa.table(
        {
            "time": pa.array(np.arange(900) * 1_000_000, pa.timestamp("us")),
            "a": values_NC[:, 0],
            "b": values_NC[:, 1] + number,
            "eval_label": label_N,
            "eval_use": np.ones(900, np.int8),
        }
    )


def test_the_generated_suite_runs_from_the_command_to_the_page(tmp_path: Path) -> None:
    """Ours, ours untrained and the peers stand in one table, with alerts and the level shift."""
    page = tmp_path / "quality.md"
    settings = [word for setting in LIGHT for word in ("--set", setting)]
    words = ["quality", "--suite", "synthetic", "--seeds", "1", "--output", str(page), *settings]
    result = CliRunner().invoke(bench_app, words, catch_exceptions=False)
    text = page.read_text()
    assert result.exit_code == 0
    for row in ("`raw`", "`raw_gaussian`", "`raw_residual`", "untrained", "gated", "random"):
        assert row in text
    assert "--set learn.burst_steps=8" in text
    assert "after 600 rows" in text


def test_embeddings_are_probed_from_the_command_to_the_page(tmp_path: Path) -> None:
    """A set's machines as keys of one stream: probes, cold start and plots; scores stay."""
    page, folder = tmp_path / "quality.md", tmp_path / "sensor" / "smd"
    folder.mkdir(parents=True)
    for number in range(2):
        pq.write_table(machine_table(number), folder / f"machine-{number}.parquet")
    page.write_text("# Quality\n\nscores\n")
    settings = [word for setting in LIGHT[:3] for word in ("--set", setting)]
    words = ["quality", "--suite", "embeddings", "--sets", "smd", "--seeds", "1", "--jobs", "1"]
    words += ["--data", str(tmp_path), "--output", str(page), *settings]
    result = CliRunner().invoke(bench_app, words, catch_exceptions=False)
    text = page.read_text()
    assert result.exit_code == 0
    assert text.startswith("# Quality\n\nscores\n")
    for row in ("| streamssl |", "untrained", "raw window", "PCA-64", "random", "AUROC at 60"):
        assert row in text
    assert "--suite embeddings --sets smd --seeds 1" in text
    assert (tmp_path / "quality" / "embeddings" / "machines.svg").is_file()


def test_missing_data_end_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without data the command says where they belong; the process ends with code 2."""
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    with pytest.raises(BenchDataError, match="--data"):
        CliRunner().invoke(bench_app, ["quality"], catch_exceptions=False)


def test_unknown_sets_and_settings_are_refused(tmp_path: Path) -> None:
    """A wrong name is an error before anything runs."""
    words = ["quality", "--data", str(tmp_path), "--sets", "skap"]
    with pytest.raises(BenchDataError, match="'skap'; valid are skab, smd, nab"):
        CliRunner().invoke(bench_app, words, catch_exceptions=False)
    words += ["--suite", "embeddings"]
    with pytest.raises(BenchDataError, match="'skap'; valid are smd, asd, plant, plant-other"):
        CliRunner().invoke(bench_app, words, catch_exceptions=False)
    words = ["quality", "--suite", "synthetic", "--set", "learn.evry=3"]
    with pytest.raises(ConfigError, match=r"learn\.every"):
        CliRunner().invoke(bench_app, words, catch_exceptions=False)


@pytest.mark.parametrize("words", [["quality"], ["speed", "--parts", ""]])
def test_beside_an_installed_package_the_error_names_the_checkout(
    tmp_path: Path, words: list[str]
) -> None:
    """Where `benchmarks` cannot be imported the verb ends with code 2 and says what to do."""
    (tmp_path / "streamssl").symlink_to(Path(streamssl.__file__).parent)
    libraries = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    done = subprocess.run(
        # -S: the editable installation would put the checkout on the path.
        [sys.executable, "-S", "-m", "streamssl", "bench", *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(libraries)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "run from a checkout of the repository" in done.stderr
    assert "make setup" in done.stderr


def test_the_help_says_from_where_it_runs() -> None:
    """`streamssl bench --help` names the checkout before anybody tries."""
    told = CliRunner().invoke(bench_app, ["--help"]).output
    assert "runs from a checkout of the repository" in told
