"""One pydantic model per section of the YAML file; the YAML key is the argument's name.

Values are checked here, once, at the door; the code behind trusts them. Each description is
what `streamssl schema` and `docs/configuration.md` show.
"""

from streamssl.config.sections.base import Section
from streamssl.config.sections.learning import (
    AutoencoderConfig,
    LearnConfig,
    LearnerConfig,
    MocoConfig,
    NextStepConfig,
    ObjectiveConfig,
    ObjectivesConfig,
    ReplayConfig,
)
from streamssl.config.sections.scoring import (
    AlertsConfig,
    GaussianConfig,
    MemoryConfig,
    ResidualConfig,
    ScorersConfig,
)
from streamssl.config.sections.service import (
    AppConfig,
    CheckpointConfig,
    DeliveryConfig,
    KafkaConfig,
    TelemetryConfig,
)
from streamssl.config.sections.streams import (
    OUTPUTS,
    InputConfig,
    OutputConfig,
    OutputsConfig,
    SensorConfig,
)

__all__ = [
    "OUTPUTS",
    "AlertsConfig",
    "AppConfig",
    "AutoencoderConfig",
    "CheckpointConfig",
    "DeliveryConfig",
    "GaussianConfig",
    "InputConfig",
    "KafkaConfig",
    "LearnConfig",
    "LearnerConfig",
    "MemoryConfig",
    "MocoConfig",
    "NextStepConfig",
    "ObjectiveConfig",
    "ObjectivesConfig",
    "OutputConfig",
    "OutputsConfig",
    "ReplayConfig",
    "ResidualConfig",
    "ScorersConfig",
    "Section",
    "SensorConfig",
    "TelemetryConfig",
]
