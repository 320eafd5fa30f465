"""What the engine asks of the codec."""

from __future__ import annotations

from typing import Protocol

from streamssl.codecs.base import Decoder
from streamssl.data.events import DeadLetter, OutputRecord
from streamssl.data.results import Results


class Codec(Protocol):
    """Bytes to columns on the way in, columns to bytes on the way out."""

    @property
    def decoder(self) -> Decoder:
        """Reads the input."""

    def encode(
        self, results: Results | None, dead_letters: tuple[DeadLetter, ...]
    ) -> list[OutputRecord]:
        """Records for one partition's part of one transaction; None where no event was read."""
