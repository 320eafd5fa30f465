"""The configuration is open to kinds of streams that are not built in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streamssl.cli.reference import configuration_page
from streamssl.config import ConfigError, PluginError, load_config, secret_values
from streamssl.config.modalities import MODALITY_SECTIONS, modality_kinds, modality_section
from streamssl.config.plugins import find
from streamssl.config.root import Config
from streamssl.config.sections import ColumnSpec, SensorConfig
from tests.config.frames import FramesConfig

pytestmark = pytest.mark.usefixtures("nothing_installed")
ROOT = Path(__file__).parents[2]
FRAMES = {"modality": {"kind": "frames"}}


@pytest.fixture
def frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers a second kind for one test."""
    monkeypatch.setitem(MODALITY_SECTIONS, "frames", FramesConfig)


def install(folder: Path, target: str) -> None:
    """What pip leaves in `folder` of a package that adds the kind `frames`."""
    (folder / "frames-1.0.dist-info").mkdir()
    text = f"[streamssl.modality_sections]\nframes = {target}\n"
    (folder / "frames-1.0.dist-info" / "entry_points.txt").write_text(text)


def problems(*args: object, environ: dict[str, str] | None = None) -> list[str]:
    """The lines of the error that loading must raise."""
    with pytest.raises(ConfigError) as caught:
        load_config(*args, environ=environ or {})  # type: ignore[arg-type]
    return str(caught.value).splitlines()


def test_sensor_is_the_kind_where_none_is_given() -> None:
    """A section without `kind`, and a configuration without the section, are a sensor's."""
    given: tuple[dict[str, Any], ...] = ({}, {"modality": {}}, {"modality": {"required": False}})
    for values in given:
        assert Config.model_validate(values).modality == SensorConfig()
    config = load_config({"modality": {"fields": ["a"]}}, environ={})
    assert config.modality.columns() == ColumnSpec(("a",))


@pytest.mark.usefixtures("frames")
def test_the_kind_chooses_the_section(tmp_path: Path) -> None:
    """From a file, from nested dicts and from a section as it stands; with the kind's defaults."""
    file = tmp_path / "c.yaml"
    file.write_text("modality: {kind: frames, cells: 4, image: {side: 32}}\n")
    section = load_config(file, environ={}).modality
    assert isinstance(section, FramesConfig)
    assert (section.cells, section.image.side, section.max_keys) == (4, 32, 16)
    assert section.columns() == ColumnSpec((), texts=("caption",), required=True)
    assert Config(modality=section).modality is section
    assert load_config(FRAMES, environ={}).modality == FramesConfig()


@pytest.mark.usefixtures("frames")
def test_all_of_a_kinds_settings_go_to_another_process() -> None:
    """What is dumped as JSON, all of it or what was given, is the same configuration again."""
    config = load_config(FRAMES, ["modality.image.side=32", "modality.tail_events=7"], environ={})
    for only_given in (False, True):
        dumped = config.model_dump(mode="json", exclude_unset=only_given)
        assert Config.model_validate(json.loads(json.dumps(dumped))) == config
    assert Config(modality=FramesConfig()).model_dump(exclude_unset=True) == FRAMES
    assert dumped == {"modality": {"kind": "frames", "tail_events": 7, "image": {"side": 32}}}


@pytest.mark.usefixtures("frames")
@pytest.mark.parametrize(
    ("source", "overrides", "environ"),
    [
        (FRAMES, ["modality.cells=4"], {}),
        ({}, ["modality.cells=4", "modality.kind=frames"], {}),
        ({}, ["modality={kind: frames, cells: 4}"], {}),
        ({}, [], {"STREAMSSL_MODALITY__KIND": "frames", "STREAMSSL_MODALITY__CELLS": "4"}),
        ({"modality": {"cells": 4}}, [], {"STREAMSSL_MODALITY__KIND": "frames"}),
    ],
)
def test_every_layer_knows_the_settings_of_the_kind(
    source: dict[str, object], overrides: list[str], environ: dict[str, str]
) -> None:
    """Wherever the kind is said, its settings can be given by file, variable and option."""
    assert load_config(source, overrides, environ=environ).modality == FramesConfig(cells=4)


@pytest.mark.usefixtures("frames")
def test_text_and_secrets_of_a_kind_are_what_they_are(tmp_path: Path) -> None:
    """Text stays text, a nested section can be overridden, a secret comes from its file."""
    file = tmp_path / "token"
    file.write_text("hunter2\n")
    overrides = ["modality.caption=[x]", f"modality.token_file={file}", "modality.image={side: 9}"]
    config = load_config(FRAMES, overrides, environ={})
    section = config.modality
    assert isinstance(section, FramesConfig)
    assert (section.caption, section.image.side) == ("[x]", 9)
    assert secret_values(config) == ("hunter2",)
    assert "on the command line is seen" in problems(FRAMES, ["modality.token=x"])[0]
    assert "hunter2" not in str(problems({"modality": FRAMES["modality"] | {"tokn": "hunter2"}}))


@pytest.mark.usefixtures("frames")
def test_errors_name_the_place_of_the_kinds_settings(tmp_path: Path) -> None:
    """A wrong value, an unknown key and a broken rule: path, place and the kind's nearest key."""
    file = tmp_path / "c.yaml"
    file.write_text("modality:\n  kind: frames\n  cells: x\n  window: 8\n  image:\n    side: 4\n")
    lines = problems(file, ["modality.cellz=1"], environ={"STREAMSSL_MODALITY__CAPTIN": "x"})
    assert sorted(lines) == [
        "modality.captin: unknown key; did you mean modality.caption? "
        "[environment variable STREAMSSL_MODALITY__CAPTIN]",
        f"modality.cells: must be a whole number, got 'x' [{file}, line 3]",
        "modality.cellz: unknown key; did you mean modality.cells? [--set modality.cellz]",
        f"modality.image.side: must be at least 8, got 4 [{file}, line 6]",
        f"modality.window: unknown key; did you mean scorers.window? [{file}, line 4]",
    ]
    broken = problems(FRAMES, ["modality.image.side=9", "modality.cells=10"])
    assert broken == [
        "modality.image.side: 9 must not be below modality.cells (10) [--set modality.image.side]"
    ]
    twice = problems(FRAMES | {"input": {"time_field": "caption", "ignore_fields": ["c*"]}})
    assert [line.partition(":")[0] for line in twice] == ["input.time_field", "input.ignore_fields"]


@pytest.mark.usefixtures("frames")
@pytest.mark.parametrize("kind", ["senzor", 3, None, ["frames"]])
def test_an_unknown_kind_is_told_with_the_valid_ones(kind: object) -> None:
    """One line, whatever stands there."""
    assert problems({"modality": {"kind": kind, "max_keys": 2}}) == [
        f"modality.kind: must be 'sensor' or 'frames', got {kind!r}"
    ]
    assert "must be a section" in problems({"modality": 4})[0]


@pytest.mark.usefixtures("frames")
def test_the_reference_has_a_table_a_kind() -> None:
    """Each with the sections within it; a JSON Schema accepts any of them."""
    page = configuration_page()
    begin, end = page.index("## `modality` with `kind: sensor`"), page.index("## `learner`")
    headings = [line for line in page[begin:end].splitlines() if line.startswith("## ")]
    assert headings == [
        "## `modality` with `kind: sensor`",
        "## `modality` with `kind: frames`",
        "## `modality.image` with `kind: frames`",
    ]
    assert "| `cells` | whole number >= 1 | `8` | Cells a side. |" in page
    modality = Config.model_json_schema()["properties"]["modality"]
    assert len(modality["anyOf"]) == 2


def test_installed_packages_add_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point is enough; what is built in goes first."""
    install(tmp_path, "tests.config.frames:FramesConfig")
    monkeypatch.syspath_prepend(tmp_path)
    assert modality_kinds() == ("sensor", "frames")
    assert modality_section("frames") is FramesConfig
    assert find({"frames": 1}, "streamssl.modality_sections", "frames") == 1
    assert load_config(FRAMES, environ={}).modality == FramesConfig()
    with pytest.raises(PluginError, match=r"nothing is installed as 'x' .*: sensor, frames"):
        modality_section("x")


def test_a_package_that_cannot_be_loaded_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its target and Python's reason stand in the line of the setting."""
    install(tmp_path, "tests.config.frames:NoSuchConfig")
    monkeypatch.syspath_prepend(tmp_path)
    (line,) = problems(FRAMES)
    assert line.startswith("modality.kind: tests.config.frames:NoSuchConfig, installed as 'frames'")
    assert "no attribute 'NoSuchConfig'" in line


def test_another_process_finds_an_installed_kind_without_torch(tmp_path: Path) -> None:
    """`PYTHONPATH` is enough for the command line; the section of a kind loads no torch."""
    install(tmp_path, "tests.config.frames:FramesConfig")
    code = (
        "import sys\n"
        "from streamssl.config import load_config\n"
        "config = load_config({}, ['modality.kind=frames', 'modality.cells=4'], environ={})\n"
        "print(config.modality.cells, 'torch' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout == "4 False\n"
