"""What a codec does: bytes to columns on the way in, columns to bytes on the way out."""

from __future__ import annotations

from typing import Protocol

from streamssl.data.events import DeadLetter, Decoded, OutputRecord, Slice
from streamssl.data.results import Results


class Decoder(Protocol):
    """Bytes to columns. Bad input is a value: it becomes a dead letter, never an exception."""

    fields: tuple[str, ...] | None

    def decode(self, piece: Slice) -> Decoded:
        """The readable events of a slice, and a dead letter for everything else.

        With automatic fields the first readable event decides `fields` (None until then).
        """


class Encoder(Protocol):
    """Columns to bytes, one output topic."""

    def encode(self, results: Results) -> list[OutputRecord]:
        """Records for one partition's results of one transaction."""


class DeadLetterEncoder(Protocol):
    """Dead letters to records of the dead letter topic."""

    def encode(self, letters: tuple[DeadLetter, ...]) -> list[OutputRecord]:
        """One record a dead letter, with reason and origin in its headers."""
