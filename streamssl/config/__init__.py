"""The configuration: one YAML file, one pydantic model per section."""

from streamssl.config.budget import Budget, parse_budget
from streamssl.config.environment import environment_hash
from streamssl.config.plugins import PluginError
from streamssl.config.root import Config
from streamssl.config.settings import ConfigError, load_config, secret_values

__all__ = [
    "Budget",
    "Config",
    "ConfigError",
    "PluginError",
    "environment_hash",
    "load_config",
    "parse_budget",
    "secret_values",
]
