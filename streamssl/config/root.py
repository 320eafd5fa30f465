"""The whole configuration as one model: the sections, and the rules that span them."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from streamssl.config.rules import broken_rules
from streamssl.config.sections import (
    AlertsConfig,
    AppConfig,
    CheckpointConfig,
    DeliveryConfig,
    InputConfig,
    KafkaConfig,
    LearnConfig,
    LearnerConfig,
    ObjectivesConfig,
    OutputsConfig,
    ReplayConfig,
    ScorersConfig,
    Section,
    SensorConfig,
    TelemetryConfig,
)


class Config(Section):
    """Everything that can be set; see `docs/configuration.md`.

    Example:
        >>> Config().learn.every
        4096
    """

    app: AppConfig = AppConfig()
    kafka: KafkaConfig = KafkaConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    input: InputConfig = InputConfig()
    outputs: OutputsConfig = OutputsConfig()
    modality: SensorConfig = SensorConfig()
    learner: LearnerConfig = LearnerConfig()
    learn: LearnConfig = LearnConfig()
    objectives: ObjectivesConfig = ObjectivesConfig()
    replay: ReplayConfig = ReplayConfig()
    scorers: ScorersConfig = ScorersConfig()
    alerts: AlertsConfig = AlertsConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    telemetry: TelemetryConfig = TelemetryConfig()

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        broken = list(broken_rules(self))
        if broken:
            text = "; ".join(f"{path}: {what}" for path, what in broken)
            raise PydanticCustomError("rules", "{text}", {"text": text, "broken": broken})
        return self
