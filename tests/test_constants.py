"""The research log names every constant of the arithmetic as the code has it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from streamssl.config.root import Config

LOG = Path(__file__).parents[1] / "docs" / "research-log.md"
ROOMS = ("alerts", "arithmetic", "modalities", "objectives", "scorers")
# A unit of time, and what is counted from others on the page.
DERIVED = {"BIN_WIDTH", "NUM_BLOCKS", "GAIN", "NUM_COLUMNS", "LEAST_PLACE", "SCREEN_KNOT"}
EXEMPT = {"DAY_S"} | DERIVED


def rows(num_cells: int) -> list[list[str]]:
    """Rows of the section's tables that have so many cells, without code marks."""
    section = LOG.read_text(encoding="utf-8").split("## Constants of the arithmetic")[1]
    lines = re.findall(r"^\| `.*\|$", section.split("\n## ")[0], re.MULTILINE)
    cells = [[cell.strip(" `") for cell in line[1:-1].split(" | ")] for line in lines]
    return [row for row in cells if len(row) == num_cells]


CONSTANTS = {
    (f"streamssl.{file.removesuffix('.py').replace('/', '.')}", name): value
    for name, file, value, *_ in rows(5)
}
SETTINGS = {name: value for name, value, *_ in rows(4)}


def look_up(target: Any, dotted: str) -> Any:
    """The attribute of an attribute of ..."""
    return reduce(getattr, dotted.split("."), target)


@pytest.mark.parametrize(("module", "name"), CONSTANTS)
def test_a_constant_has_the_value_of_the_page(module: str, name: str) -> None:
    """Name, file and value of each row are the code's."""
    assert look_up(importlib.import_module(module), name) == eval(CONSTANTS[module, name], {})


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_the_default_of_the_page(name: str) -> None:
    """Name and value of each row are the configuration's."""
    assert look_up(Config(), name) == eval(SETTINGS[name], {})


@pytest.mark.parametrize("room", ROOMS)
def test_every_number_of_the_arithmetic_is_on_the_page(room: str) -> None:
    """A new constant brings its source: what a module of these rooms defines has a row."""
    package = importlib.import_module(f"streamssl.{room}")
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    modules = [importlib.import_module(info.name) for info in found]
    named = {(module.__name__, name) for module in modules for name in numbers_of(module)}
    assert named
    assert named <= CONSTANTS.keys()


def numbers_of(module: ModuleType) -> list[str]:
    """Constants that a module itself defines: one number or several, and no mark such as -1."""
    names = re.findall(r"^([A-Z][A-Z_]+)(?:: .+)? = ", inspect.getsource(module), re.MULTILINE)
    return [name for name in names if name not in EXEMPT and _is_number(getattr(module, name))]


def _is_number(value: Any) -> bool:
    if isinstance(value, dict):
        return _is_number(tuple(value.values()))
    if isinstance(value, tuple):
        return all(map(_is_number, value))
    return isinstance(value, (int, float)) and value >= 0
