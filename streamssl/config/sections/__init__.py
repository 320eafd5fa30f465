"""One pydantic model per section of the YAML file; the YAML key is the argument's name.

Values are checked here, once, at the door; the code behind trusts them. Rules between settings of
one section stand in it, those between sections in `root.py`. Each description is what
`streamssl schema` and `docs/configuration.md` show.
"""

from streamssl.config.sections.alerts import AlertsConfig
from streamssl.config.sections.app import AppConfig
from streamssl.config.sections.base import Section
from streamssl.config.sections.checkpoint import CheckpointConfig
from streamssl.config.sections.delivery import DeliveryConfig
from streamssl.config.sections.drift import DriftConfig
from streamssl.config.sections.input import InputConfig
from streamssl.config.sections.kafka import KafkaConfig
from streamssl.config.sections.learn import LearnConfig
from streamssl.config.sections.learner import LearnerConfig
from streamssl.config.sections.modality import ColumnSpec, ModalityConfig
from streamssl.config.sections.objectives import (
    AutoencoderConfig,
    MocoConfig,
    NextStepConfig,
    ObjectiveConfig,
    ObjectivesConfig,
)
from streamssl.config.sections.outputs import OUTPUTS, OutputConfig, OutputsConfig
from streamssl.config.sections.replay import ReplayConfig
from streamssl.config.sections.scorers import (
    CoreConfig,
    GateConfig,
    MemoryConfig,
    ResidualConfig,
    ScorerConfig,
    ScorersConfig,
    WindowConfig,
)
from streamssl.config.sections.sensor import SensorConfig
from streamssl.config.sections.telemetry import TelemetryConfig

__all__ = [
    "OUTPUTS",
    "AlertsConfig",
    "AppConfig",
    "AutoencoderConfig",
    "CheckpointConfig",
    "ColumnSpec",
    "CoreConfig",
    "DeliveryConfig",
    "DriftConfig",
    "GateConfig",
    "InputConfig",
    "KafkaConfig",
    "LearnConfig",
    "LearnerConfig",
    "MemoryConfig",
    "MocoConfig",
    "ModalityConfig",
    "NextStepConfig",
    "ObjectiveConfig",
    "ObjectivesConfig",
    "OutputConfig",
    "OutputsConfig",
    "ReplayConfig",
    "ResidualConfig",
    "ScorerConfig",
    "ScorersConfig",
    "Section",
    "SensorConfig",
    "TelemetryConfig",
    "WindowConfig",
]
