"""What every client of this process is told about the broker: address, security, time-outs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from streamssl.config.sections import KafkaConfig

Settings = dict[str, Any]

# A broker that comes back is found within a second, not within half a minute.
RECONNECT_MAX_MS = 1_000
# One attempt to find a broker; `kafka.start_timeout_s` bounds all of them.
BOOTSTRAP_MS = 5_000


def client_settings(kafka: KafkaConfig) -> Settings:
    """Settings that consumers, producers and admin clients of kafka-python share."""
    start_ms = int(kafka.start_timeout_s * 1_000)
    return {
        "bootstrap_servers": kafka.bootstrap_servers.split(","),
        "request_timeout_ms": kafka.request_timeout_ms,
        "bootstrap_timeout_ms": min(BOOTSTRAP_MS, start_ms),
        "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
        "security_protocol": kafka.security_protocol,
        **_ssl(kafka),
        **_sasl(kafka),
    }


def _ssl(kafka: KafkaConfig) -> Settings:
    if "SSL" not in kafka.security_protocol.split("_"):
        return {}
    return {
        "ssl_cafile": _text(kafka.ssl_cafile),
        "ssl_certfile": _text(kafka.ssl_certfile),
        "ssl_keyfile": _text(kafka.ssl_keyfile),
        "ssl_password": _secret(kafka.ssl_password),
        "ssl_check_hostname": kafka.ssl_check_hostname,
    }


def _sasl(kafka: KafkaConfig) -> Settings:
    if not kafka.security_protocol.startswith("SASL"):
        return {}
    return {
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.sasl_plain_username,
        "sasl_plain_password": _secret(kafka.sasl_plain_password),
    }


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _secret(value: SecretStr | None) -> str | None:
    """A secret that loading took from a value or from its file."""
    return None if value is None else value.get_secret_value()
