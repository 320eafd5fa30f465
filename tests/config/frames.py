"""The section of a kind that is not built in, with everything that a section may have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from streamssl.config.sections import ColumnSpec, ModalityConfig, Section
from streamssl.config.sections.base import Broken, Count


class ImageConfig(Section):
    """Size of a frame."""

    side: int = Field(64, ge=8, description="Pixels a side.")


class FramesConfig(ModalityConfig):
    """Frames of a camera."""

    kind: Literal["frames"] = Field("frames", description="What the stream consists of.")
    max_keys: Count = Field(16, description="Cameras with live state; least recent evicted.")
    cells: Count = Field(8, description="Cells a side.")
    caption: str = Field("caption", description="Field with the text beside a frame.")
    token: SecretStr | None = Field(None, description="Of the camera.")
    token_file: Path | None = Field(None, description="File that holds it.")
    image: ImageConfig = ImageConfig()

    def columns(self) -> ColumnSpec:
        """The caption alone."""
        return ColumnSpec((), texts=(self.caption,), required=True)

    def broken_rules(self) -> Iterator[Broken]:
        """A cell has at least one pixel."""
        if self.cells > self.image.side:
            yield "image.side", f"{self.image.side} must not be below modality.cells ({self.cells})"
