"""Who the instance is, its broker, what it promises, what it keeps and tells."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from streamssl.config.sections.base import Count, Seconds, Section


class AppConfig(Section):
    """Who this instance is."""

    name: str = Field(
        "streamssl",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
        description="Consumer group, prefix of the output topics and of the transactional id.",
    )
    instance: int = Field(
        0, ge=0, lt=1024, description="Ordinal of this instance, stable over restarts."
    )
    seed: int = Field(0, ge=0, description="Seed of every random choice.")
    state_dir: Path = Field(
        Path("state"), description="Folder for checkpoints and the lock; one per instance."
    )


class KafkaConfig(Section):
    """How to reach the broker; security settings are named as kafka-python names them."""

    client: Literal["kafka-python", "librdkafka"] = Field(
        "kafka-python",
        description="Library that consumes and produces; `librdkafka` needs "
        "`pip install streamssl[librdkafka]`.",
    )
    bootstrap_servers: str = Field("localhost:9092", description="host:port, comma separated.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Encryption (SSL) and authentication (SASL) of the connection."
    )
    ssl_cafile: Path | None = Field(
        None, description="Certificates of the authorities that may sign the broker's."
    )
    ssl_certfile: Path | None = Field(None, description="This client's certificate.")
    ssl_keyfile: Path | None = Field(None, description="Key of this client's certificate.")
    ssl_password: SecretStr | None = Field(None, description="Password of the key.")
    ssl_password_file: Path | None = Field(None, description="File that holds that password.")
    ssl_check_hostname: bool = Field(
        True, description="The broker's certificate must carry its host name."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"] | None = Field(
        None, description="How to authenticate; needed with SASL."
    )
    sasl_plain_username: str | None = Field(None, description="User for PLAIN and SCRAM.")
    sasl_plain_password: SecretStr | None = Field(
        None, description="That user's password, better given by file or environment."
    )
    sasl_plain_password_file: Path | None = Field(
        None, description="File that holds that password."
    )
    request_timeout_ms: Count = Field(5_000, description="Time-out of one request to the broker.")
    session_timeout_ms: Count = Field(10_000, description="Silence after which a member is lost.")
    transaction_timeout_ms: Count = Field(
        10_000,
        description="After this the broker aborts an abandoned transaction; 60 s where one was "
        "too slow for it.",
    )
    start_timeout_s: Seconds = Field(30.0, description="How long a start waits for the broker.")


class DeliveryConfig(Section):
    """What a subscriber may rely on."""

    mode: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once",
        description="`exactly_once`: a read_committed subscriber sees each result once; "
        "`at_least_once`: none is lost, repeats carry the same id.",
    )
    commit_interval_ms: Count = Field(50, description="Longest time a result waits to be sent.")
    max_events: Count = Field(4_096, description="Most messages in one transaction.")


class CheckpointConfig(Section):
    """When state is saved, and how many copies are kept."""

    every_events: Count = Field(200_000, description="Events between checkpoints.")
    every_s: Seconds = Field(60.0, description="Seconds between checkpoints.")
    keep: Count = Field(3, description="Checkpoints kept.")
    on_corruption: Literal["previous", "fail"] = Field(
        "previous", description="Use the previous checkpoint, or end with exit code 4."
    )


class TelemetryConfig(Section):
    """Metrics, health and logs."""

    enabled: bool = Field(True, description="False: no port is opened.")
    host: str = Field("127.0.0.1", description="Address to listen on; loopback by default.")
    port: int = Field(9464, ge=0, le=65_535, description="0 picks a free port (it is logged).")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level of the JSON lines on standard error."
    )
