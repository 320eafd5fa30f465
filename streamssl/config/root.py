"""The whole configuration as one model: the sections, and the rules that span them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator

from streamssl.config.modalities import DEFAULT_MODALITY, AnyModality
from streamssl.config.sections import (
    OUTPUTS,
    AlertsConfig,
    AppConfig,
    CheckpointConfig,
    DeliveryConfig,
    DriftConfig,
    InputConfig,
    KafkaConfig,
    LearnConfig,
    LearnerConfig,
    ObjectivesConfig,
    OutputsConfig,
    ReplayConfig,
    ScorersConfig,
    Section,
    TelemetryConfig,
)
from streamssl.config.sections.base import Broken


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
    modality: AnyModality = DEFAULT_MODALITY
    learner: LearnerConfig = LearnerConfig()
    learn: LearnConfig = LearnConfig()
    objectives: ObjectivesConfig = ObjectivesConfig()
    replay: ReplayConfig = ReplayConfig()
    scorers: ScorersConfig = ScorersConfig()
    alerts: AlertsConfig = AlertsConfig()
    drift: DriftConfig = DriftConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    telemetry: TelemetryConfig = TelemetryConfig()

    def broken_rules(self) -> Iterator[Broken]:
        """The rules between sections that do not hold."""
        yield from self._delivery_rules()
        yield from self._column_rules()
        yield from self._learning_rules()

    def _delivery_rules(self) -> Iterator[Broken]:
        commit_ms, timeout_ms = self.delivery.commit_interval_ms, self.kafka.transaction_timeout_ms
        if commit_ms >= timeout_ms:
            yield (
                "delivery.commit_interval_ms",
                f"{commit_ms} must be below kafka.transaction_timeout_ms "
                f"({timeout_ms}), or the broker aborts every transaction",
            )
        topic, partitions = self.input.topic, self.outputs.journal_partitions
        if topic in [f"{self.app.name}.{word}" for word in OUTPUTS]:
            yield "input.topic", f"{topic} is an output of this application; change app.name"
        if self.app.instance >= partitions:
            yield (
                "app.instance",
                f"{self.app.instance} must be below outputs.journal_partitions "
                f"({partitions}): each instance has its own partition",
            )

    def _column_rules(self) -> Iterator[Broken]:
        named = self.modality.columns().named
        for key, field in self.input.special_fields().items():
            if field in named:
                yield f"input.{key}", f"{field!r} is a column of modality, too; name it once"
        for pattern in self.input.ignore_fields:
            hidden = fnmatch.filter(named, pattern)
            if hidden:
                yield (
                    "input.ignore_fields",
                    f"{pattern!r} hides {hidden[0]!r}, which modality names; drop one of them",
                )

    def _learning_rules(self) -> Iterator[Broken]:
        if not self.learner.enabled:
            yield from self._rules_without_networks()
        elif self.learn.enabled and not self.objectives.weights():
            yield (
                "objectives",
                "all weights are 0, so the networks have nothing to learn; raise one, or set "
                "learn.enabled: false",
            )

    def _rules_without_networks(self) -> Iterator[Broken]:
        remedy = "needs the networks; set it to {}, or learner.enabled: true"
        for name, scorer in self.scorers.enabled().items():
            if scorer.needs_networks:
                yield f"scorers.{name}.enabled", remedy.format("false")
        if self.outputs.embeddings.enabled:
            yield "outputs.embeddings.enabled", remedy.format("false")
        if self.alerts.neighbours > 0:
            yield "alerts.neighbours", remedy.format("0")
