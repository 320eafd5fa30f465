"""Where settings come from: the file, the environment, the command line; later ones win.

A layer maps the path of each setting to its value and the place it was given at, so that an
error can name that place.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml

from streamssl.config.paths import Path, Tree
from streamssl.config.problems import ConfigError, Problem, unknown_key
from streamssl.config.root import Config

PREFIX = "STREAMSSL_"
# Read by the benchmark and the tests; they configure nothing.
FOREIGN_VARIABLES = frozenset({"STREAMSSL_BENCH_DATA", "STREAMSSL_TEST_BOOTSTRAP"})
# Kubernetes describes a Service named streamssl-kafka to every pod in such variables.
_SERVICE_LINK = re.compile(r".*_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a layer: its value, and the place that gives it."""

    value: Any
    where: str


Layer = dict[Path, Setting]


def file_layer(path: FilePath, tree: Tree) -> Layer:
    """The settings of a YAML file.

    Raises:
        ConfigError: The file cannot be read, is no YAML, or gives a key twice.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        told = f"cannot read {path}: not UTF-8 at byte {error.start}; save it as UTF-8"
        raise ConfigError([Problem("", told)]) from None
    except OSError as error:
        told = f"cannot read {path}: {error.strerror or error}; name a readable file with -c"
        raise ConfigError([Problem("", told)]) from None
    except (yaml.YAMLError, RecursionError) as error:
        text = " ".join(str(error).split())
        raise ConfigError([Problem("", f"no valid YAML: {text}", str(path))]) from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        what = "the file must hold sections of `key: value` lines"
        raise ConfigError([Problem("", what, str(path))])
    layer: Layer = {}
    _read_mapping(root, (), path, layer, tree)
    return layer


def _read_mapping(
    node: yaml.MappingNode, prefix: Path, file: FilePath, layer: Layer, tree: Tree
) -> None:
    """Take over a mapping's settings; sections that the models know are entered."""
    seen: set[Hashable] = set()
    for key_node, value_node in node.value:
        path = (*prefix, str(key_node.value))
        where = f"{file}, line {key_node.start_mark.line + 1}"
        if path[-1] in seen:
            raise ConfigError([Problem(".".join(path), "is given twice", where)])
        seen.add(path[-1])
        if tree.section_at(path) and isinstance(value_node, yaml.MappingNode):
            _read_mapping(value_node, path, file, layer, tree)
        else:
            _put(layer, path, Setting(_construct(value_node, where), where), tree)


def _construct(node: yaml.Node, where: str) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, RecursionError) as error:
        text = " ".join(str(error).split())
        raise ConfigError([Problem("", f"no valid YAML: {text}", where)]) from None


def mapping_layer(values: Mapping[str, Any], tree: Tree) -> Layer:
    """The settings of nested dicts."""
    layer: Layer = {}
    for name, value in values.items():
        _put(layer, (str(name),), Setting(value, ""), tree)
    return layer


def environment_layer(environ: Mapping[str, str], tree: Tree) -> tuple[Layer, list[Problem]]:
    """The settings given by `STREAMSSL_SECTION__KEY` variables, and those that name no setting."""
    layer: Layer = {}
    problems: list[Problem] = []
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in FOREIGN_VARIABLES:
            continue
        where = f"environment variable {name}"
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if tree.field_at(path) is not None and len(path) > 1:
            _put(layer, path, Setting(_parse(path, text, tree), where), tree)
        elif _looks_like_override(name):
            problems.append(_unknown_variable(path, where, tree))
    return layer, problems


def _looks_like_override(name: str) -> bool:
    rest = name.removeprefix(PREFIX).lower()
    if "__" in rest:
        return True
    sections = tuple(f"{section}_" for section in Config.model_fields)
    return rest.startswith(sections) and not _SERVICE_LINK.fullmatch(name)


def _unknown_variable(path: Path, where: str, tree: Tree) -> Problem:
    if len(path) == 1:
        section = next(s for s in Config.model_fields if path[0].startswith(f"{s}_"))
        path = (section, path[0].removeprefix(f"{section}_"))
        if tree.field_at(path) is not None:
            right = f"{PREFIX}{path[0]}__{path[1]}".upper()
            text = f"two underscores stand between section and key; write {right}"
            return Problem(".".join(path), text, where)
    return unknown_key(".".join(path), tree, where)


def override_layer(overrides: Iterable[str], tree: Tree) -> tuple[Layer, list[Problem]]:
    """The settings given as `section.key=value`, and those that cannot be used."""
    layer: Layer = {}
    problems: list[Problem] = []
    for override in overrides:
        name, equals, text = override.partition("=")
        path, where = tuple(name.strip().split(".")), f"--set {name.strip()}"
        if not equals:
            problems.append(Problem("", "must be section.key=value", where))
        elif tree.field_at(path) is None:
            problems.append(unknown_key(".".join(path), tree, where))
        elif tree.is_secret(path):
            text = "a secret on the command line is seen by every user of the machine; "
            text += f"use {'.'.join(path)}_file or the environment"
            problems.append(Problem(".".join(path), text, where))
        else:
            _put(layer, path, Setting(_parse(path, text, tree), where), tree)
    return layer, problems


def _parse(path: Path, text: str, tree: Tree) -> Any:
    """Text as a value: lists, mappings and `null` as in YAML, all else converted by the model."""
    if tree.is_text(path):
        return text
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return text
    return value if value is None or isinstance(value, (list, dict)) else text


def _put(layer: Layer, path: Path, setting: Setting, tree: Tree) -> None:
    """Note a value; a known section's members are noted one by one (an empty one has none)."""
    value, where = setting.value, setting.where
    if not tree.section_at(path) or not (value is None or isinstance(value, Mapping)):
        layer[path] = setting
    elif value:
        for name, member in value.items():
            _put(layer, (*path, str(name)), Setting(member, where), tree)


def nested(layer: Layer) -> dict[str, Any]:
    """The layer's values as nested dicts."""
    tree: dict[str, Any] = {}
    # Shortest first: a value where a section belongs is kept, for the model to refuse.
    for path in sorted(layer, key=len):
        _insert(tree, path, layer[path].value)
    return tree


def _insert(tree: dict[str, Any], path: Path, value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            return
    tree[path[-1]] = value
