"""Reference pages that follow from the code: every setting, every metric, every log line."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from streamssl.config.modalities import modality_kinds
from streamssl.config.paths import Path, Tree, dotted
from streamssl.telemetry.log_events import EVENTS, LogEvent
from streamssl.telemetry.log_events.engine import ENGINE
from streamssl.telemetry.log_events.others import OTHERS, TRANSPORT
from streamssl.telemetry.log_events.state import STATE
from streamssl.telemetry.log_events.stream import STREAM
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
_MODALITY = ("modality",)
_METRICS = """\
Served on `/metrics` of `telemetry.port`, together with Prometheus' usual `process_*` metrics. The
key of an event is never a label."""


_LOGS = """\
One JSON object a line on standard error, from level `telemetry.log_level` on. Every line has
`time` (UTC), `level`, `logger`, `event` (its name in the tables below, which stays) and `message`
(words for a person, which may change); then the further fields of its event. Numbers that do not
exist are null; texts are cut after 2,000 characters, lists after 100 items; secrets are hidden. A
line that repeats itself within ten seconds, but for its digits, is held back; the next one then
has `num_suppressed`. Lines without `event` are warnings of libraries; those of kafka-python are of
level DEBUG.

The story of a run in order: `starting`, `telemetry`, `recovering`, `recovered`, `started`, `phase`
(to `warming`), `partitions`, `channels`, `space`, `training_burst`, `phase` (to `running`), then
whatever happens (`incident`, `dead_letter`, `broker_away`, `degraded`, ...), and at the end
`draining`, `phase` (to `draining`), `drained`; or `failed`, which says what to mend."""
_LOG_TABLES = {
    "The process": ENGINE,
    "The state": STATE,
    "The stream": STREAM,
    "The broker": TRANSPORT,
    "Others": OTHERS,
}


def configuration_page() -> str:
    """All settings as Markdown."""
    parts = [_HEAD.format(title="Configuration", intro=_CONFIGURATION)]
    for heading, path, tree in _sections():
        rows = list(_settings(path, tree))
        # A section of sections has its own text only where it has settings of its own.
        if rows or len(path) == 1:
            text = inspect.cleandoc(tree.section_at(path).__doc__ or "")
            parts.append(f"\n## {heading}\n\n{text}\n")
        if rows:
            parts.append(_table(("key", "value", "default", "meaning"), rows))
    return "".join(parts)


def _sections() -> Iterator[tuple[str, Path, Tree]]:
    """Heading, path and tree of every section; the modality's come once for each kind."""
    tree = Tree()
    for path, _ in tree.sections():
        if path == _MODALITY:
            yield from (found for kind in modality_kinds() for found in _sections_of(kind))
        elif path[0] != _MODALITY[0]:
            yield f"`{dotted(path)}`", path, tree


def _sections_of(kind: str) -> Iterator[tuple[str, Path, Tree]]:
    tree = Tree(kind)
    for path, _ in tree.sections():
        if path[0] == _MODALITY[0]:
            yield f"`{dotted(path)}` with `kind: {kind}`", path, tree


def _settings(section: Path, tree: Tree) -> Iterator[tuple[str, ...]]:
    """One row a setting: key, allowed values, default, meaning."""
    model = tree.section_at(section)
    properties = model.model_json_schema()["properties"] if model else {}
    for path, field in tree.settings():
        if path[:-1] == section:
            values, default = allowed(properties[path[-1]]), _plain(field.default)
            yield f"`{path[-1]}`", values, f"`{default}`", field.description or ""


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


def logs_page() -> str:
    """All log lines as Markdown."""
    parts = [_HEAD.format(title="Logs", intro=_LOGS)]
    for heading, table in _LOG_TABLES.items():
        rows = [_log_row(EVENTS[name]) for name in table]
        parts.append(f"\n## {heading}\n\n")
        parts.append(_table(("event", "level", "message", "further fields", "when"), rows))
    return "".join(parts)


def _log_row(event: LogEvent) -> tuple[str, ...]:
    fields = ", ".join(f"`{name}`" for name in event.fields)
    return f"`{event.name}`", event.level, event.text, fields, event.when


PAGES: Mapping[str, Callable[[], str]] = {
    "configuration.md": configuration_page,
    "metrics.md": metrics_page,
    "logs.md": logs_page,
}
