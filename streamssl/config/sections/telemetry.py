"""What the daemon reports of itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Section


class TelemetryConfig(Section):
    """Metrics, health and logs."""

    enabled: bool = Field(True, description="False: no port is opened.")
    host: str = Field("127.0.0.1", description="Address to listen on; loopback by default.")
    port: int = Field(9464, ge=0, le=65_535, description="0 picks a free port (it is logged).")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level of the JSON lines on standard error."
    )
    log_samples: bool = Field(
        True,
        description="Show the first 200 bytes of the first dead letter of a kind, in the log and, "
        "where most input cannot be read, in `/status`; false: no payload is ever shown.",
    )
