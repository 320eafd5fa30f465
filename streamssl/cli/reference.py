"""Reference pages that follow from the code: every setting, every metric."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from streamssl.config.paths import dotted, section_of, sections
from streamssl.telemetry.metrics import Metrics

_HEAD = """# {title}

<!-- Written by `streamssl schema --docs docs`; edit the models, not this page. -->

{intro}
"""
_CONFIGURATION = """\
One YAML file, or as many layers as you like: what comes later wins.

1. the file given with `-c`,
2. the environment: `STREAMSSL_KAFKA__BOOTSTRAP_SERVERS` sets `kafka.bootstrap_servers`,
3. `--set section.key=value` on the command line.

Keys that do not exist are errors. Secrets are given in a file named by the `_file` setting beside
them or in the environment, not on the command line; they are never logged or printed."""
_METRICS = """\
Served on `/metrics` of `telemetry.port`, together with Prometheus' usual `process_*` metrics. The
key of an event is never a label."""


def configuration_page() -> str:
    """All settings as Markdown."""
    parts = [_HEAD.format(title="Configuration", intro=_CONFIGURATION)]
    for path, section in sections():
        rows = list(_settings(section))
        # A section of sections has its own text only where it has settings of its own.
        if rows or len(path) == 1:
            parts.append(f"\n## `{dotted(path)}`\n\n{(section.__doc__ or '').strip()}\n")
        if rows:
            parts.append(_table(("key", "value", "default", "meaning"), rows))
    return "".join(parts)


def _settings(section: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    """One row a setting: key, allowed values, default, meaning."""
    properties = section.model_json_schema()["properties"]
    for name, field in section.model_fields.items():
        if section_of(field) is not None:
            continue
        default = _plain(field.default)
        yield f"`{name}`", allowed(properties[name]), f"`{default}`", field.description or ""


def allowed(schema: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words.

    Example:
        >>> allowed({"type": "integer", "minimum": 1})
        'whole number >= 1'
    """
    if "anyOf" in schema:
        return " or ".join(allowed(option) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    if schema["type"] == "array":
        return f"list of {allowed(schema['items'])}"
    words = _KINDS.get(schema.get("format", schema["type"]), schema["type"])
    bounds = [f"{sign} {schema[name]:g}" for name, sign in _BOUNDS.items() if name in schema]
    return " ".join([words, ", ".join(bounds)]).strip()


_KINDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "`true`, `false`",
    "string": "text",
    "path": "path",
    "password": "secret",
    "null": "`null`",
}
_BOUNDS = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
}


def _plain(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (bool, list)) or value is None else str(value)


def metrics_page() -> str:
    """All metrics as Markdown."""
    rows = [
        (
            f"`{entry.name}`",
            entry.kind,
            ", ".join(f"`{label}`" for label in entry.labels),
            entry.documentation + (f" ({', '.join(entry.values)})" if entry.values else ""),
        )
        for entry in Metrics().catalogue
    ]
    page = _HEAD.format(title="Metrics", intro=_METRICS)
    return f"{page}\n{_table(('metric', 'type', 'labels', 'meaning'), rows)}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in lines)


PAGES: Mapping[str, Callable[[], str]] = {
    "configuration.md": configuration_page,
    "metrics.md": metrics_page,
}
