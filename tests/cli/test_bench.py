"""`streamssl bench quality`: the whole path on generated data, and its refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.quality.data import DATA_VARIABLE, BenchDataError
from streamssl.cli.bench import bench_app
from streamssl.config.settings import ConfigError

LIGHT = [
    "learn.burst_steps=8",
    "learner.hidden=16",
    "modality.window=8",
    "scorers.residual.weight=1",
]


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
    words = ["quality", "--suite", "synthetic", "--set", "learn.evry=3"]
    with pytest.raises(ConfigError, match=r"learn\.every"):
        CliRunner().invoke(bench_app, words, catch_exceptions=False)
