"""Loading the configuration: file, then environment, then command line, then secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from streamssl.config.layers import (
    Given,
    Layer,
    environment_layer,
    file_layer,
    mapping_layer,
    nested,
    override_layer,
)
from streamssl.config.paths import dotted, is_secret, settings
from streamssl.config.problems import ConfigError, Problem, problems_of
from streamssl.config.root import Config

__all__ = ["Config", "ConfigError", "load_config", "secret_values"]


def load_config(
    source: Path | str | Mapping[str, Any] | None = None,
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
    if isinstance(source, (str, Path)):
        layer = file_layer(Path(source))
    else:
        layer = mapping_layer(source or {})
    from_environment, problems = environment_layer(os.environ if environ is None else environ)
    from_overrides, more = override_layer(overrides)
    layer |= from_environment | from_overrides
    problems += more + _read_secrets(layer)
    try:
        config = Config.model_validate(nested(layer))
    except ValidationError as error:
        origins = {path: given.where for path, given in layer.items()}
        problems += problems_of(error.errors(), origins)
    if problems:
        raise ConfigError(problems)
    return config


def secret_values(config: Config) -> tuple[str, ...]:
    """The secrets in plain text, for a log filter to hide."""
    values = (_value_at(config, path) for path, _ in settings() if is_secret(path))
    return tuple(v.get_secret_value() for v in values if isinstance(v, SecretStr))


def _value_at(config: Config, path: tuple[str, ...]) -> Any:
    value: Any = config
    for name in path:
        value = getattr(value, name)
    return value


def _read_secrets(layer: Layer) -> list[Problem]:
    """Fill each secret from its `_file`; problems where that cannot be done."""
    problems = []
    for path, _ in settings():
        file_path = (*path[:-1], f"{path[-1]}_file")
        given = layer.get(file_path)
        if not is_secret(path) or given is None or given.value is None:
            continue
        if path in layer:
            text = f"is given twice; keep only one of {path[-1]} and {file_path[-1]}"
            problems.append(Problem(dotted(path), text, given.where))
            continue
        try:
            secret = Path(str(given.value)).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text"
            text = f"cannot read {given.value}: {reason}"
            problems.append(Problem(dotted(file_path), text, given.where))
        else:
            layer[path] = Given(secret, given.where)
    return problems
