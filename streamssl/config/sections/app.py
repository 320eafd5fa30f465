"""Who the instance is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from streamssl.config.sections.base import Broken, Section


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

    def broken_rules(self) -> Iterator[Broken]:
        """The folder is one that was meant: nothing here stands for a home, or for none at all."""
        if self.state_dir.parts[:1] and self.state_dir.parts[0].startswith("~"):
            yield "state_dir", f"{str(self.state_dir)!r} is not expanded; write the whole path"
        if not self.state_dir.parts:
            yield "state_dir", "names no folder; write one of this instance alone, such as state"
