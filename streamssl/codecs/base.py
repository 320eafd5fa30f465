"""What a codec does: bytes to columns on the way in, columns to bytes on the way out."""

from __future__ import annotations

from typing import Protocol

from streamssl.data.events import Decoded, OutputRecord, Schema, Slice
from streamssl.data.results import Results


class Decoder(Protocol):
    """Bytes to columns. Bad input is a value: it becomes a dead letter, never an exception."""

    def decode(self, piece: Slice, schema: Schema | None) -> Decoded:
        """The readable events of a slice, and a dead letter for everything else.

        Args:
            piece: What to read.
            schema: The stream's columns; None where nothing decided them yet.

        Returns:
            Its `schema` is the one given, else the configured one, else what the first readable
            event decided (None where there was none).
        """


class Encoder(Protocol):
    """Columns to bytes, one output topic."""

    def encode(self, results: Results) -> list[OutputRecord]:
        """Records for one partition's results of one transaction."""
