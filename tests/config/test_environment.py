"""The environment's hash."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from streamssl.arithmetic.threads import THREAD_VARIABLES
from streamssl.config import environment
from streamssl.config.environment import environment_hash
from streamssl.config.modalities import GROUP
from streamssl.config.plugins import version
from streamssl.config.settings import Config, load_config
from streamssl.learner.build import build

BUILD = {"torch": "2.13.0+cpu", "cpu": "AVX2", "OMP_NUM_THREADS": None}


@pytest.mark.parametrize(
    "override",
    ["app.seed=1", "learner.hidden=128", "scorers.gate.quantile=0.9", "input.time_field=t"],
)
def test_it_changes_with_what_a_score_depends_on(override: str) -> None:
    """Another seed, network, scorer or reading of the input is another environment."""
    other = load_config({}, [override], environ={})
    assert environment_hash(other, BUILD) != environment_hash(Config(), BUILD)


@pytest.mark.parametrize(
    "override",
    [
        "kafka.bootstrap_servers=b:1",
        "delivery.max_events=7",
        "learn.max_wait_s=1",
        "app.instance=3",
    ],
)
def test_it_ignores_what_the_journal_holds(override: str) -> None:
    """How results travel, and decisions that the journal records, leave it as it is."""
    other = load_config({}, [override], environ={})
    assert environment_hash(other, BUILD) == environment_hash(Config(), BUILD)
    assert len(environment_hash(other, BUILD)) == 8


def test_it_changes_with_the_build() -> None:
    """Another torch, or a processor of other capabilities, may give other bits."""
    other = {**BUILD, "cpu": "AVX512"}
    assert environment_hash(Config(), other) != environment_hash(Config(), BUILD)


def test_it_changes_with_the_version_of_an_added_modality(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other code of a package of its own may give other bits; built-in kinds ask for none."""
    added = load_config({"modality": {"kind": "toy"}}, environ={})
    before, built_in = environment_hash(added, BUILD), environment_hash(Config(), BUILD)
    assert version(GROUP, "toy") == "streamssl-toy 1.0"
    monkeypatch.setattr(environment, "version", lambda _, kind: "2.0" if kind == "toy" else None)
    assert environment_hash(added, BUILD) != before
    assert environment_hash(Config(), BUILD) == built_in


@pytest.mark.parametrize("name", THREAD_VARIABLES)
def test_it_changes_with_the_number_of_threads(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Sums depend on how many threads share them."""
    before = environment_hash(Config(), build())
    monkeypatch.setenv(name, "7")
    assert environment_hash(Config(), build()) != before


def test_threads_are_pinned_before_numpy_is_imported() -> None:
    """Importing the package sets each variable that is not set, and loads no NumPy yet."""
    code = (
        "import os, sys, streamssl; "
        f"print([os.environ[name] for name in {THREAD_VARIABLES}], 'numpy' in sys.modules)"
    )
    kept = {name: text for name, text in os.environ.items() if name not in THREAD_VARIABLES}
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, THREAD_VARIABLES[0]: "3"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout == "['3', '1', '1'] False\n"
