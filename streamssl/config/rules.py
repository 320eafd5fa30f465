"""Rules that span several settings."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from streamssl.config.sections import OUTPUTS

if TYPE_CHECKING:
    from streamssl.config.root import Config

Broken = tuple[str, str]

# kafka-python's own bounds: its fetches wait 500 ms, its idle connections close after 9 minutes.
_REQUEST_TIMEOUT_MS = (500, 540_000)
_SPECIAL_FIELDS = ("time_field", "key_field", "values_field")
_SERVER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:,\[\]]+):(\d{1,5})")


def broken_rules(config: Config) -> Iterator[Broken]:
    """Every rule that the configuration breaks, as (dotted path, what is wrong and what to do)."""
    yield from _client(config)
    yield from _servers(config)
    yield from _sasl(config)
    yield from _ssl(config)
    yield from _timeouts(config)
    yield from _topics(config)
    yield from _channels(config)
    yield from _learning(config)
    yield from _networks(config)
    yield from _scoring(config)


def _client(config: Config) -> Iterator[Broken]:
    kafka = config.kafka
    if kafka.client != "librdkafka":
        return
    if find_spec("confluent_kafka") is None:
        yield (
            "kafka.client",
            "librdkafka is not installed; run `pip install streamssl[librdkafka]`, or set "
            "kafka-python",
        )
    if kafka.sasl_mechanism == "GSSAPI":
        yield (
            "kafka.sasl_mechanism",
            "the packaged librdkafka cannot do GSSAPI; set kafka.client: kafka-python",
        )


def _servers(config: Config) -> Iterator[Broken]:
    for server in config.kafka.bootstrap_servers.split(","):
        match = _SERVER.fullmatch(server.strip())
        if match is None or not 0 < int(match[2]) < 65_536:
            yield (
                "kafka.bootstrap_servers",
                f"{server.strip()!r} is not host:port; write for example broker-1:9092",
            )


def _sasl(config: Config) -> Iterator[Broken]:
    kafka = config.kafka
    with_sasl = kafka.security_protocol.startswith("SASL")
    if with_sasl and kafka.sasl_mechanism is None:
        yield "kafka.sasl_mechanism", f"is needed with {kafka.security_protocol}"
    if not with_sasl and kafka.sasl_mechanism is not None:
        yield (
            "kafka.sasl_mechanism",
            f"has no effect with {kafka.security_protocol}; set kafka.security_protocol to "
            "SASL_SSL or SASL_PLAINTEXT",
        )
    if not with_sasl and kafka.sasl_plain_password is not None:
        yield (
            "kafka.sasl_plain_password",
            f"is not sent with {kafka.security_protocol}; set kafka.security_protocol to "
            "SASL_SSL or SASL_PLAINTEXT",
        )
    if with_sasl and kafka.sasl_mechanism not in (None, "GSSAPI"):
        if kafka.sasl_plain_username is None:
            yield "kafka.sasl_plain_username", f"is needed with {kafka.sasl_mechanism}"
        if kafka.sasl_plain_password is None:
            yield (
                "kafka.sasl_plain_password",
                f"is needed with {kafka.sasl_mechanism}; give kafka.sasl_plain_password_file or "
                "the variable STREAMSSL_KAFKA__SASL_PLAIN_PASSWORD",
            )


def _ssl(config: Config) -> Iterator[Broken]:
    kafka = config.kafka
    with_ssl = kafka.security_protocol.endswith("SSL")
    for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        path = getattr(kafka, name)
        if path is not None and not with_ssl:
            yield (
                f"kafka.{name}",
                f"has no effect with {kafka.security_protocol}; set kafka.security_protocol to "
                "SSL or SASL_SSL",
            )
        elif path is not None and not path.is_file():
            yield f"kafka.{name}", f"no such file: {path}"
    if kafka.ssl_keyfile is not None and kafka.ssl_certfile is None:
        yield "kafka.ssl_certfile", "is needed with kafka.ssl_keyfile"


def _timeouts(config: Config) -> Iterator[Broken]:
    kafka, commit_ms = config.kafka, config.delivery.commit_interval_ms
    if commit_ms >= kafka.transaction_timeout_ms:
        yield (
            "delivery.commit_interval_ms",
            f"{commit_ms} must be below kafka.transaction_timeout_ms "
            f"({kafka.transaction_timeout_ms}), or the broker aborts every transaction",
        )
    least, most = _REQUEST_TIMEOUT_MS
    if not least < kafka.request_timeout_ms < most:
        yield "kafka.request_timeout_ms", f"must be above {least} and below {most}"


def _topics(config: Config) -> Iterator[Broken]:
    name, topic = config.app.name, config.input.topic
    own = [f"{name}.{word}" for word in OUTPUTS]
    if topic in own:
        yield "input.topic", f"{topic} is an output of this application; change app.name"
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", topic) or topic in (".", ".."):
        yield "input.topic", f"{topic!r} is no topic name: letters, digits, `.`, `_` and `-` only"
    if config.app.instance >= config.outputs.journal_partitions:
        yield (
            "app.instance",
            f"{config.app.instance} must be below outputs.journal_partitions "
            f"({config.outputs.journal_partitions}): each instance has its own partition",
        )


def _channels(config: Config) -> Iterator[Broken]:
    fields = config.modality.fields
    special = {name: getattr(config.input, name) for name in _SPECIAL_FIELDS}
    for place, (name, field) in enumerate(special.items()):
        if field is not None and field in fields and fields != "auto":
            yield f"input.{name}", f"{field!r} is among modality.fields, too; name it once"
        if field is not None and field in list(special.values())[:place]:
            yield f"input.{name}", f"{field!r} has another meaning in input, too; name it once"
    if fields == "auto":
        return
    if not fields:
        yield "modality.fields", "names no channel; write `auto` or at least one name"
    for field in sorted({field for field in fields if fields.count(field) > 1}):
        yield "modality.fields", f"{field!r} is named twice"
    for pattern in config.input.ignore_fields:
        hit = fnmatch.filter(fields, pattern)
        if hit:
            yield (
                "input.ignore_fields",
                f"{pattern!r} hides {hit[0]!r}, which modality.fields names; drop one of them",
            )


def _learning(config: Config) -> Iterator[Broken]:
    objectives = config.objectives
    weights = (objectives.moco.weight, objectives.next_step.weight, objectives.autoencoder.weight)
    if config.learner.enabled and config.learn.enabled and not any(weights):
        yield (
            "objectives",
            "all weights are 0, so the networks have nothing to learn; raise one, or set "
            "learn.enabled: false",
        )


def _networks(config: Config) -> Iterator[Broken]:
    scorers = config.scorers
    needing = {
        "scorers.residual.enabled": scorers.residual.enabled,
        "scorers.memory.enabled": scorers.memory.enabled,
        "outputs.embeddings.enabled": config.outputs.embeddings.enabled,
        "alerts.neighbours": config.alerts.neighbours > 0,
    }
    for path, needed in needing.items():
        if needed and not config.learner.enabled:
            off = "0" if path == "alerts.neighbours" else "false"
            yield path, f"needs the networks; set it to {off}, or learner.enabled: true"


def _scoring(config: Config) -> Iterator[Broken]:
    scorers, alerts = config.scorers, config.alerts
    used = (scorers.gaussian, scorers.residual, scorers.memory)
    if not any(scorer.enabled and scorer.weight > 0 for scorer in used):
        yield "scorers", "no scorer is enabled with a weight above 0, so nothing can be scored"
    if scorers.gaussian.quarantine_min > scorers.gaussian.quarantine_max:
        yield (
            "scorers.gaussian.quarantine_min",
            f"{scorers.gaussian.quarantine_min} must not exceed scorers.gaussian.quarantine_max "
            f"({scorers.gaussian.quarantine_max})",
        )
    if alerts.calibration_warmup > alerts.calibration_memory:
        yield (
            "alerts.calibration_warmup",
            f"{alerts.calibration_warmup} must not exceed alerts.calibration_memory "
            f"({alerts.calibration_memory})",
        )
