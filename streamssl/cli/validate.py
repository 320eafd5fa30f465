"""`streamssl validate`: is the configuration right, what does it mean, what will it cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from streamssl.alerts.budget import LARGEST_SHARE
from streamssl.alerts.incidents import FREE_TOKENS, MOST_TOKENS
from streamssl.cli.options import ConfigOption, SetOption
from streamssl.config import Config, load_config, parse_budget
from streamssl.native.library import loops

_ASSUMED_NUMBERS = 16


def validate(
    config: ConfigOption,
    overrides: SetOption = None,
    online: Annotated[
        bool,
        typer.Option(
            "--online",
            help="Also ask the broker for topics and a sample of 200 messages; changes nothing.",
        ),
    ] = False,
    columns: Annotated[
        int,
        typer.Option(
            "--columns",
            "--channels",
            min=1,
            help="Columns of numbers to reckon memory for, where the first events decide them.",
        ),
    ] = _ASSUMED_NUMBERS,
) -> None:
    """Check the configuration and say what it will do and cost."""
    loaded = load_config(config, overrides or ())
    lines = [f"{config} is valid", *highlights(loaded), *memory_report(loaded, columns)]
    typer.echo("\n".join(lines))
    if online:
        _validate_online(loaded)


def _validate_online(config: Config) -> None:
    """What the broker says of the topics, and the newest messages of themselves."""
    from streamssl.cli.sample import sample_report
    from streamssl.transport.kafka.check import check_topics
    from streamssl.transport.kafka.sample import read_sample

    told = check_topics(
        app=config.app, kafka=config.kafka, input=config.input, outputs=config.outputs
    )
    typer.echo("\n".join(["broker:", *(f"  {line}" for line in told)]))
    pieces = read_sample(kafka=config.kafka, input=config.input)
    typer.echo("\n".join(sample_report(config, pieces, now_s=time.time())))


def highlights(config: Config) -> list[str]:
    """The settings that an operator wants to see again; no secrets."""
    kafka, weights = config.kafka, config.objectives.weights().items()
    rows = {
        "application": f"{config.app.name}, instance {config.app.instance}, "
        f"state in {config.app.state_dir}",
        "broker": f"{kafka.bootstrap_servers} ({kafka.security_protocol})",
        "input": f"{config.input.topic} ({config.input.codec}, from the {config.input.start})",
        "outputs": ", ".join(_outputs(config)),
        "delivery": f"{config.delivery.mode}, within {config.delivery.commit_interval_ms} ms",
        "alerts": f"at most {_budget(config)}",
        "learning": _learning(config),
        "objectives": ", ".join(f"{name} {weight:g}" for name, weight in weights),
        "telemetry": f"http://{config.telemetry.host}:{config.telemetry.port}"
        if config.telemetry.enabled
        else "off",
        "loops": loops(),
    }
    return [f"  {name:12} {text}" for name, text in rows.items()]


def _learning(config: Config) -> str:
    if not config.learner.enabled:
        return "statistics only, no networks"
    if not config.learn.enabled:
        return "statistics only, networks untrained"
    return f"every {config.learn.every:,} events or {config.learn.max_wait_s:g} s"


def _outputs(config: Config) -> Iterator[str]:
    name, outputs = config.app.name, config.outputs
    formats = {n: getattr(outputs, n).format for n in ("scores", "embeddings", "incidents")}
    for word in outputs.written():
        yield f"{name}.{word} ({formats[word]})" if word in formats else f"{name}.{word}"


def _budget(config: Config) -> str:
    budget = parse_budget(config.alerts.budget)
    beyond = f"and {MOST_TOKENS:g} beyond that ({FREE_TOKENS:g} of them at the full budget)"
    if budget.share is None:
        most = f"never more than {100 * LARGEST_SHARE:g} % of the events"
        return f"{budget.per_day:g} incidents a day over all keys, {most}, {beyond} a key"
    return f"one incident in {1 / budget.share:,.0f} events of a key in the long run, {beyond}"


def memory_report(config: Config, num_numbers: int) -> list[str]:
    """What the state costs in memory, as the components themselves say.

    Args:
        config: What to reckon for.
        num_numbers: Columns of numbers, where the first events decide them.
    """
    from streamssl.checkpoint.snapshot import snapshot
    from streamssl.stream.model import StreamModel
    from streamssl.telemetry.stages import Stages

    schema = config.modality.columns().schema(tuple(f"number_{i}" for i in range(num_numbers)))
    model = StreamModel(schema=schema, config=config, stages=Stages())
    per_key, max_keys = model.keys.bytes_per_key(), config.modality.max_keys
    own_keys = min(config.scorers.own_keys, max_keys)
    arrays = snapshot(model.state_dict(), copy=False).arrays
    shared = sum(array.nbytes for array in arrays.values())
    parts = {
        f"each key ({sum(map(len, schema))} columns)": per_key,
        f"{max_keys:,} keys (modality.max_keys)": max_keys * per_key,
        f"{own_keys} keys' own covariances (scorers.own_keys)": own_keys
        * model.ensemble.bytes_per_own_key(),
        "replay buffer (replay.max_bytes)": config.replay.max_bytes,
        "networks and shared statistics": shared,
    }
    parts["copy of all that, for the next checkpoint"] = sum(parts.values()) - per_key
    total = sum(parts.values()) - per_key
    rows = [f"  {_size(size):>9}  {name}" for name, size in parts.items()]
    return ["memory of the state, when full:", *rows, f"  {_size(total):>9}  in all"]


def _size(num_bytes: float) -> str:
    """Bytes for a person.

    Example:
        >>> _size(7_416)
        '7.2 KiB'
    """
    for unit in ("B", "KiB", "MiB"):
        if num_bytes < 1024:
            return f"{num_bytes:.{0 if unit == 'B' else 1}f} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:.1f} GiB"
