"""Who the instance is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Section


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
    on_missing_state: Literal["fail", "fresh"] = Field(
        "fail",
        description="Where `state_dir` holds no state but the instance's journal has a history: "
        "end with exit code 4, or begin afresh with what journal and input still give.",
    )
