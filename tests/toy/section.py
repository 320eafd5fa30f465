"""The toy's section of the configuration; it loads no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamssl.config.sections import ColumnSpec, ModalityConfig


class ToyConfig(ModalityConfig):
    """Purchases: what they cost, how long after the last one, what was bought and where."""

    core_name = "rarity"

    kind: Literal["toy"] = Field("toy", description="What the stream consists of.")
    numbers: tuple[str, ...] = Field(("amount", "gap"), description="Columns of numbers.")
    texts: tuple[str, ...] = Field(("shop", "terminal"), description="Columns of text.")

    def columns(self) -> ColumnSpec:
        """Numbers and texts, both named."""
        return ColumnSpec(self.numbers, self.texts)
