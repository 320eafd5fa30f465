"""Settings with a new place: the old one is still taken, and told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from streamssl.config import ConfigError, load_config
from streamssl.config.paths import Tree, dotted
from streamssl.config.renamed import RENAMED

OLD = [
    ("scorers.gaussian.own_keys", "7"),
    ("scorers.gaussian.enabled", "true"),
    ("scorers.gaussian.weight", "0.5"),
    ("scorers.gaussian.max_features", "64"),
    ("scorers.gaussian.gate", "0.5"),
    ("scorers.gaussian.quarantine_min", "7"),
    ("scorers.gaussian.quarantine_share", "0.5"),
    ("scorers.gaussian.quarantine_max", "700"),
    ("scorers.residual.next_step", "true"),
]


@pytest.mark.parametrize(("old", "value"), OLD)
def test_an_old_place_is_the_new_one_with_a_warning(
    old: str, value: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From a file, a variable or an option; one line names both places and where it was given."""
    new = dotted(RENAMED[tuple(old.split("."))])
    section, _, key = old.rpartition(".")
    file = tmp_path / "c.yaml"
    file.write_text(f"scorers:\n  {section.split('.')[1]}:\n    {key}: {value}\n")
    environ = {f"STREAMSSL_{old.replace('.', '__')}".upper(): value}
    wanted = load_config({}, [f"{new}={value}"], environ={})
    assert not caplog.records
    assert load_config(file, environ={}) == wanted
    assert load_config({}, environ=environ) == wanted
    assert load_config({}, [f"{old}={value}"], environ={}) == wanted
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    places = (f"{file}, line 3", f"environment variable {next(iter(environ))}", f"--set {old}")
    assert [record.getMessage() for record in caplog.records] == [
        f"{old} is now {new}; the old name goes with the next version [{place}]" for place in places
    ]


def test_later_layers_win_over_an_old_place() -> None:
    """An old place in the file and in the environment is one setting."""
    environ = {"STREAMSSL_SCORERS__GAUSSIAN__OWN_KEYS": "5"}
    values = {"scorers": {"gaussian": {"own_keys": 7, "max_features": 8}}}
    scorers = load_config(values, environ=environ).scorers
    assert (scorers.own_keys, scorers.max_features) == (5, 8)


def test_both_places_at_once_are_refused() -> None:
    """Which of them was meant nobody knows."""
    with pytest.raises(ConfigError) as caught:
        load_config({"scorers": {"own_keys": 7}}, ["scorers.gaussian.own_keys=7"], environ={})
    (problem,) = caught.value.problems
    assert problem.path == "scorers.gaussian.own_keys"
    assert "is given as scorers.own_keys, too" in problem.text
    assert problem.where == "--set scorers.gaussian.own_keys"


def test_a_wrong_value_at_an_old_place_is_told_under_the_new_name() -> None:
    """With the place that it was given at."""
    with pytest.raises(ConfigError) as caught:
        load_config({}, ["scorers.gaussian.gate=2"], environ={})
    assert str(caught.value) == (
        "scorers.gate.quantile: must be at most 1.0, got '2' [--set scorers.gaussian.gate]"
    )


def test_new_places_exist_and_old_ones_are_offered_to_nobody() -> None:
    """A typo is never answered with a name that is about to go."""
    keys = Tree().keys()
    assert all(dotted(new) in keys and dotted(old) not in keys for old, new in RENAMED.items())


@pytest.mark.parametrize("client", ["kafka-python", "librdkafka"])
def test_a_setting_that_is_gone_is_told_as_such(client: str, tmp_path: Path) -> None:
    """From a file, a variable or an option: what became of it, not the name of another."""
    file = tmp_path / "c.yaml"
    file.write_text(f"kafka:\n  client: {client}\n")
    for source, environ, options in (
        (file, {}, []),
        ({}, {"STREAMSSL_KAFKA__CLIENT": client}, []),
        ({}, {}, [f"kafka.client={client}"]),
    ):
        with pytest.raises(ConfigError, match=r"kafka\.client: is gone.*remove this setting \["):
            load_config(source, options, environ=environ)
