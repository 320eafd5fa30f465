"""Metrics, health and logs."""

from streamssl.telemetry.health import Health
from streamssl.telemetry.logs import setup_logging
from streamssl.telemetry.metrics import Metrics
from streamssl.telemetry.server import TelemetryServer

__all__ = ["Health", "Metrics", "TelemetryServer", "setup_logging"]
