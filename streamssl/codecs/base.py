"""What a codec does: bytes to columns on the way in, columns to bytes on the way out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from streamssl.data.channels import Choice, SampledEvent
from streamssl.data.events import Decoded, OutputRecord, Schema, Slice
from streamssl.data.results import Results


class Sample(NamedTuple):
    """The first events of a stream, as they are before its columns are known.

    Attributes:
        events: Those that say anything about channels.
        typed: Fields that are numbers by their type.
        names: All fields of all readable events; none where numbers are one array without names.
    """

    events: tuple[SampledEvent, ...]
    typed: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


class Decoder(Protocol):
    """Bytes to columns. Bad input is a value: it becomes a dead letter, never an exception."""

    @property
    def named(self) -> Schema | None:
        """The configured columns, None where the first events decide them."""

    def sample(self, piece: Slice) -> Sample:
        """What the readable events of a slice are made of; changes nothing."""

    def choose(self, samples: Sequence[Sample]) -> Choice:
        """The columns of a stream whose first events these are."""

    def others(self, piece: Slice, known: Collection[str]) -> Counter[str]:
        """Fields with a value that are not known, and in how many of the events looked into."""

    def decode(self, piece: Slice, schema: Schema | None) -> Decoded:
        """The readable events of a slice, and a dead letter for everything else.

        Args:
            piece: What to read.
            schema: The stream's columns; None where nothing decided them yet: without the
                configured ones everything is a dead letter then.

        Returns:
            Its `schema` is the one given, else the configured one.
        """


class Encoder(Protocol):
    """Columns to bytes, one output topic."""

    def encode(self, results: Results) -> list[OutputRecord]:
        """Records for one partition's results of one transaction."""
