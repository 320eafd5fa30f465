"""One pydantic model per section of the YAML file; the YAML key is the argument's name.

Values are checked here, once, at the door; the code behind trusts them. Each description is
what `streamssl schema` and `docs/configuration.md` show.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from streamssl.config.budget import parse_budget

Count = Annotated[int, Field(ge=1)]
Ratio = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0)]
Seconds = Annotated[float, Field(gt=0.0)]


class Section(BaseModel):
    """Unknown keys are errors, values are immutable."""

    # A refused value may be a secret in the wrong place, so pydantic must not repeat it.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )


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


class InputConfig(Section):
    """Where events come from and how their bytes are read."""

    topic: str = Field("events", description="Input topic.")
    codec: Literal["json", "arrow"] = Field(
        "json", description="One JSON object a message, or Arrow IPC with many rows."
    )
    start: Literal["earliest", "latest"] = Field(
        "earliest", description="Where a group without committed positions begins."
    )
    time_field: str | None = Field(
        None,
        description="Field with the event time (seconds or milliseconds since 1970, or ISO 8601); "
        "without it the record's timestamp.",
    )
    key_field: str | None = Field(None, description="Field with the key; without it the record's.")
    values_field: str | None = Field(
        None, description="Field that holds all channels as one array (JSON) or list (Arrow)."
    )
    ignore_fields: list[str] = Field([], description="Fields (globs) that are not channels.")
    max_message_bytes: Count = Field(1_048_576, description="Larger messages are dead letters.")
    max_key_bytes: Count = Field(256, description="Longer keys are dead letters.")
    max_events_per_message: Count = Field(65_536, description="More rows are a dead letter.")
    max_poll_messages: Count = Field(2_000, description="Most messages taken by one poll.")


class OutputConfig(Section):
    """One output topic."""

    enabled: bool = Field(True, description="False: the topic is not written.")
    format: Literal["json", "arrow"] = Field(
        "json",
        description="`json`: one message an event; `arrow`: packed, one batch a transaction.",
    )


# What follows `<app.name>.` in the names of the output topics.
OUTPUTS = ("scores", "embeddings", "dlq", "spaces", "journal")


class OutputsConfig(Section):
    """The output topics `<app.name>.scores`, `.embeddings`, `.dlq`, `.spaces`, `.journal`."""

    scores: OutputConfig = OutputConfig()
    embeddings: OutputConfig = OutputConfig(format="arrow")
    create_topics: bool = Field(True, description="Create missing output topics.")
    replication_factor: int = Field(-1, ge=-1, le=10, description="-1: the broker's default.")
    journal_partitions: Count = Field(16, description="Most instances that the group may have.")

    def written(self) -> tuple[str, ...]:
        """Those of `OUTPUTS` that are not switched off."""
        off = {"scores": not self.scores.enabled, "embeddings": not self.embeddings.enabled}
        return tuple(word for word in OUTPUTS if not off.get(word))


class SensorConfig(Section):
    """Numeric channels over time, one stream per key."""

    kind: Literal["sensor"] = Field("sensor", description="What the stream consists of.")
    fields: Literal["auto"] | list[str] = Field(
        "auto", description="Channels by name, or every numeric field of the first event."
    )
    required: bool = Field(False, description="True: an event that lacks a channel is rejected.")
    window: int = Field(32, ge=4, le=1024, description="Rows of context per key.")
    max_keys: Count = Field(100_000, description="Keys with live state; least recent evicted.")
    key_ttl: Seconds | None = Field(
        None, description="Seconds of event time after which an idle key's state is dropped."
    )
    tail_events: Count = Field(
        2_000, description="Input messages re-read to rebuild windows of a partition that moved."
    )


class LearnerConfig(Section):
    """The networks."""

    enabled: bool = Field(
        True, description="False: there are none; the statistics alone score, without embeddings."
    )
    device: str = Field(
        "cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="`cpu`, `cuda` or `cuda:<index>`."
    )
    embedding: int = Field(64, ge=2, le=4096, description="Size D of the embedding.")
    hidden: int = Field(128, ge=2, le=8192, description="Width of the hidden layers.")
    projection: int = Field(64, ge=2, le=4096, description="Size of the projected views.")
    momentum: Ratio = Field(0.99, description="Momentum of the teacher (1 = never moves).")
    learning_rate: float = Field(3e-3, gt=0.0, description="Peak of the burst's one-cycle.")
    upkeep_learning_rate: float = Field(1e-4, gt=0.0, description="Constant rate afterwards.")
    weight_decay: Weight = Field(1e-2, description="AdamW's decoupled decay.")
    max_gradient_norm: float = Field(1.0, gt=0.0, description="Gradients are clipped to it.")
    own_process: bool = Field(
        True,
        description="`run`: the learner in a process of its own, beside Kafka's and the codecs' "
        "work; `false` saves memory where there is one core.",
    )
    num_threads: Count = Field(
        1, description="torch threads; BLAS takes OPENBLAS_NUM_THREADS (1). Results depend on both."
    )


class LearnConfig(Section):
    """When learning happens and how much."""

    enabled: bool = Field(True, description="False: the networks are never trained.")
    every: int = Field(4_096, ge=32, description="Events of a full-grown epoch.")
    max_wait_s: Seconds = Field(5.0, description="A live epoch ends after this time.")
    live_every: int = Field(
        1_024,
        ge=32,
        description="A live epoch ends at so many events where no more input waits: scores wait "
        "while it is learnt.",
    )
    max_stretch: Count = Field(
        8,
        description="Where more input waits, a live epoch takes up to so many times as much: a "
        "fast stream is young for a shorter time, and ends of epochs cost it less; 1: never.",
    )
    batch: int = Field(
        32, ge=2, description="Samples of a step of the burst (fewer above 128 channels)."
    )
    upkeep_batch: int = Field(256, ge=2, description="Samples of a later step, likewise.")
    burst_after: Count = Field(1_000, description="Learnt rows before the first training burst.")
    burst_steps: int = Field(200, ge=0, description="Optimiser steps of the first burst.")
    burst_slice: Count = Field(
        32,
        description="Most burst steps at one epoch's end; while input waits, one per 128 events.",
    )
    samples_per_event: float = Field(
        0.25, ge=0.0, description="Samples (fresh and replayed) trained per event in upkeep."
    )
    thin_above_lag: Count = Field(
        50_000, description="Lag in messages above which learning is thinned."
    )


class ObjectiveConfig(Section):
    """Weight of one objective; 0 switches it off."""

    weight: Weight = Field(1.0, description="Weight in the summed loss; 0 switches it off.")


class MocoConfig(ObjectiveConfig):
    """Momentum contrast with a queue of negatives (He et al. 2020)."""

    weight: Weight = Field(0.1, description="Weight in the summed loss; 0 switches it off.")
    temperature: float = Field(0.2, gt=0.0, description="Of the softmax over negatives.")
    queue: int = Field(1_024, ge=2, description="Negatives kept.")
    samples: Count = Field(64, description="Most windows of a batch that are contrasted.")
    every: Count = Field(8, description="Contrast in every n-th step: views take most of its time.")


class NextStepConfig(ObjectiveConfig):
    """Prediction of the next row from the rows before it."""

    every: Count = Field(8, description="Predict in every n-th step: it takes a pass of its own.")


class AutoencoderConfig(ObjectiveConfig):
    """Denoising autoencoder (Vincent et al. 2008) with whole-channel masks."""

    noise: Weight = Field(0.2, description="Standard deviation of the added noise.")
    mask: Ratio = Field(0.25, description="Share of channels hidden.")


class ObjectivesConfig(Section):
    """The pretext tasks, weighted and summed."""

    moco: MocoConfig = MocoConfig()
    next_step: NextStepConfig = NextStepConfig()
    autoencoder: AutoencoderConfig = AutoencoderConfig()


class ReplayConfig(Section):
    """What is kept of the past for training."""

    policy: Literal["reservoir"] = Field(
        "reservoir", description="`reservoir`: a uniform sample of everything seen."
    )
    max_bytes: Count = Field(64 * 2**20, description="Most bytes held.")
    share: Ratio = Field(0.5, description="Replayed share of each training batch.")
    max_age: Seconds | None = Field(None, description="Seconds of event time samples are kept.")


class GaussianConfig(Section):
    """Gated Mahalanobis distances: slow teacher and fast student of statistics."""

    enabled: bool = Field(True, description="False: not fused; it still gates what is learnt.")
    weight: Weight = Field(1.0, description="Weight in the fused score.")
    own_keys: Count = Field(64, description="Keys with covariances of their own.")
    max_features: int = Field(256, ge=8, le=1024, description="Above it a seeded projection.")
    gate: Ratio = Field(0.85, description="Quantile of the score up to which a row is learnt.")
    quarantine_min: Count = Field(500, description="Least events before a shift is accepted.")
    quarantine_share: Weight = Field(0.2, description="Events per event of history until then.")
    quarantine_max: Count = Field(3_000, description="Most events before a shift is accepted.")


class ResidualConfig(Section):
    """Gated Mahalanobis distance of the networks' residual vector."""

    enabled: bool = Field(True, description="False: not computed.")
    next_step: bool = Field(
        False, description="Whether the residual of the next-step prediction is in the vector."
    )
    weight: Weight = Field(0.0, description="Weight in the fused score.")


class MemoryConfig(Section):
    """Distance to the nearest remembered embeddings of the teacher."""

    enabled: bool = Field(False, description="False: not computed.")
    weight: Weight = Field(0.0, description="Weight in the fused score.")
    capacity: int = Field(1_024, ge=16, description="Embeddings remembered.")
    neighbours: Count = Field(5, description="Distances averaged.")


class ScorersConfig(Section):
    """What is anomalous, and how the scorers are fused (weighted mean of log scores)."""

    gaussian: GaussianConfig = GaussianConfig()
    residual: ResidualConfig = ResidualConfig()
    memory: MemoryConfig = MemoryConfig()


class AlertsConfig(Section):
    """From scores to incidents."""

    budget: float | str = Field(
        0.001, description="Alerts allowed: a share of events, or incidents as `20/day`."
    )
    calibration_memory: Count = Field(
        2_000, description="Scores that calibration remembers: a past fault hides the next so long."
    )
    calibration_warmup: Count = Field(256, description="Scores of a fitted key before alerts.")
    incident_gap: Count = Field(32, description="Normal events of the key that end an incident.")
    neighbours: int = Field(3, ge=0, le=100, description="Nearest past events per anomaly.")

    @field_validator("budget")
    @classmethod
    def _check_budget(cls, value: float | str) -> float | str:
        budget = parse_budget(value)
        return str(budget) if budget.share is None else budget.share


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
