"""What the demo takes from a configuration, and what it sets itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streamssl.config import Config, ConfigError, load_config
from streamssl.config.problems import Problem
from streamssl.demo.demos import DEFAULT_CONFIG, DEMO_FIELDS, DEMOS

# The form of the demo's own events, which are JSON with the machine as the record's key.
_INPUT = {"codec": "json", "time_field": "time", "key_field": None, "values_field": None}
_OWN = {"kafka", "telemetry", "app.state_dir", *(f"input.{name}" for name in _INPUT)}


def demo_config(path: Path, **own: str) -> Config:
    """A daemon's configuration with the demo's broker, state folder and form of events.

    Args:
        path: The configuration file.
        own: Values of `bootstrap_servers` and `state_dir`, where the demo has some.

    Raises:
        ConfigError: It cannot be used, or not for the demo's events.
    """
    given = load_config(path, environ={})
    problems = list(_problems(given))
    if problems:
        raise ConfigError(problems)
    values = given.model_dump(mode="json", exclude_unset=True, exclude={"telemetry"})
    values["input"] = {**values.get("input", {}), **_INPUT}
    values["kafka"] = {name: own[name] for name in own if name == "bootstrap_servers"}
    values["app"] = values.get("app", {}) | {n: own[n] for n in own if n == "state_dir"}
    return load_config(values, environ={})


def explain(path: Path) -> Iterator[str]:
    """Lines that say what a configuration changes in the demo, and what it cannot change."""
    given = load_config(path, environ={})
    settings = list(_names(given.model_dump(mode="json", exclude_unset=True)))
    kept = [name for name in settings if not _is_own(name)]
    own = [name for name in settings if _is_own(name)]
    yield f"taken from {path}: {', '.join(kept) or 'nothing'}"
    if own:
        yield (
            f"not taken from it: {', '.join(own)}; the demo has a broker, a state folder, metrics "
            "and events of its own"
        )
    budget, usual = given.alerts.budget, load_config(DEFAULT_CONFIG, environ={}).alerts.budget
    if budget != usual:
        yield (
            f"its alerts.budget is {budget}, the demo's own {usual}: incidents beyond the faults "
            "are counted as false here, though the budget allows them"
        )


def _problems(config: Config) -> Iterator[Problem]:
    kind, fields = config.modality.kind, config.modality.columns().numbers
    if kind not in DEMOS:
        yield Problem("modality.kind", f"there is no demo of {kind!r}, but of {', '.join(DEMOS)}")
    elif fields != "auto" and not set(fields) <= set(DEMO_FIELDS[kind]):
        unknown = ", ".join(name for name in fields if name not in DEMO_FIELDS[kind])
        yield Problem(
            "modality.fields",
            f"the demo's machines do not measure {unknown}, but {', '.join(DEMO_FIELDS[kind])}; "
            "name some of these, or leave it at auto",
        )


def _names(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of settings."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _names(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _is_own(name: str) -> bool:
    return name in _OWN or name.partition(".")[0] in _OWN
