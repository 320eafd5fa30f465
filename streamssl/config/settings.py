"""Loading the configuration: file, then environment, then command line, then secrets."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from streamssl.config.layers import (
    Layer,
    Setting,
    environment_layer,
    file_layer,
    mapping_layer,
    nested,
    override_layer,
)
from streamssl.config.modalities import DEFAULT_MODALITY
from streamssl.config.paths import Tree, dotted
from streamssl.config.plugins import PluginError
from streamssl.config.problems import ConfigError, Problem, problems_of
from streamssl.config.renamed import RENAMED
from streamssl.config.root import Config

__all__ = ["Config", "ConfigError", "load_config", "secret_values"]

log = logging.getLogger(__name__)

_KIND = ("modality", "kind")
_Source = Path | str | Mapping[str, Any] | None


def load_config(
    source: _Source = None,
    overrides: Sequence[str] = (),
    *,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Read the configuration; what comes later wins: file, environment, overrides.

    Args:
        source: Path of a YAML file, or its content as nested dicts; None for the defaults.
        overrides: Settings as `section.key=value`.
        environ: Environment with `STREAMSSL_SECTION__KEY` variables; the process's own if None.

    Raises:
        ConfigError: It cannot be used; the error lists every problem that was found.

    Example:
        >>> load_config({"learn": {"every": 256}}, ["app.seed=7"], environ={}).app.seed
        7
    """
    environ = os.environ if environ is None else environ
    tree = Tree()
    layer, problems = _layers(source, environ, overrides, tree)
    kind = layer[_KIND].value if _KIND in layer else DEFAULT_MODALITY.kind
    if kind != DEFAULT_MODALITY.kind:  # Which settings there are depends on it.
        tree = _tree_of(kind)
        layer, problems = _layers(source, environ, overrides, tree)
    problems += _take_renamed(layer) + _read_secrets(layer, tree)
    try:
        config = Config.model_validate(nested(layer))
    except ValidationError as error:
        origins = {path: setting.where for path, setting in layer.items()}
        problems += problems_of(error.errors(), origins, tree)
    if problems:
        raise ConfigError(problems)
    return config


def _layers(
    source: _Source, environ: Mapping[str, str], overrides: Sequence[str], tree: Tree
) -> tuple[Layer, list[Problem]]:
    """All layers as one, and what names no setting."""
    if isinstance(source, (str, Path)):
        layer = file_layer(Path(source), tree)
    else:
        layer = mapping_layer(source or {}, tree)
    from_environment, problems = environment_layer(environ, tree)
    from_overrides, more = override_layer(overrides, tree)
    return layer | from_environment | from_overrides, problems + more


def _tree_of(kind: Any) -> Tree:
    try:
        return Tree(str(kind))
    except PluginError:  # The model says what is wrong with it.
        return Tree()


def _take_renamed(layer: Layer) -> list[Problem]:
    """Move values given at old places to the new ones; problems where both are given."""
    problems = []
    for old, new in RENAMED.items():
        setting = layer.pop(old, None)
        if setting is None:
            continue
        if new in layer:
            text = f"is given as {dotted(new)}, too, which is its new name; keep only that one"
            problems.append(Problem(dotted(old), text, setting.where))
            continue
        layer[new] = setting
        text = f"{dotted(old)} is now {dotted(new)}; the old name goes with the next version"
        where = f" [{setting.where}]" if setting.where else ""
        log.warning(text + where, extra={"event": "setting_renamed"})
    return problems


def secret_values(config: Config) -> tuple[str, ...]:
    """The secrets in plain text, for a log filter to hide."""
    tree = Tree(config.modality.kind)
    values = (_value_at(config, path) for path, _ in tree.settings() if tree.is_secret(path))
    return tuple(v.get_secret_value() for v in values if isinstance(v, SecretStr))


def _value_at(config: Config, path: tuple[str, ...]) -> Any:
    value: Any = config
    for name in path:
        value = getattr(value, name)
    return value


def _read_secrets(layer: Layer, tree: Tree) -> list[Problem]:
    """Fill each secret from its `_file`; problems where that cannot be done."""
    problems = []
    for path, _ in tree.settings():
        file_path = (*path[:-1], f"{path[-1]}_file")
        setting = layer.get(file_path)
        if not tree.is_secret(path) or setting is None or setting.value is None:
            continue
        if path in layer:
            text = f"is given twice; keep only one of {path[-1]} and {file_path[-1]}"
            problems.append(Problem(dotted(path), text, setting.where))
            continue
        try:
            secret = Path(str(setting.value)).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8: save it as UTF-8"
            text = f"cannot read {setting.value}: {reason}"
            problems.append(Problem(dotted(file_path), text, setting.where))
        else:
            layer[path] = Setting(secret, setting.where)
    return problems
