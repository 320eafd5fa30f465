"""What the sections of all kinds of streams share."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from streamssl.config.sections.base import Count, Seconds, Section
from streamssl.data.events import Schema


class ColumnSpec(NamedTuple):
    """The columns that codecs must deliver.

    Attributes:
        numbers: Columns of numbers by name; `auto`: those of the first events.
        texts: Columns of text by name.
        required: Whether an event that lacks one is rejected.
    """

    numbers: Literal["auto"] | tuple[str, ...]
    texts: tuple[str, ...] = ()
    required: bool = False

    @property
    def named(self) -> tuple[str, ...]:
        """The columns known before the first event, numbers first."""
        return (() if self.numbers == "auto" else self.numbers) + self.texts

    def schema(self, found: tuple[str, ...]) -> Schema:
        """The stream's columns, where these numbers were found in the first events."""
        return Schema(found if self.numbers == "auto" else self.numbers, self.texts)


class ModalityConfig(Section):
    """The kind of stream that the events belong to.

    A kind is one section derived from this one, whose `kind` is a `Literal` of its name. Its
    defaults are its own: it declares a shared setting again where another value suits it.
    """

    core_name: ClassVar[str] = "core"  # of the core's column among the raw scores

    kind: str = Field(description="What the stream consists of.")
    max_keys: Count = Field(100_000, description="Keys with live state; least recent evicted.")
    key_ttl: Seconds | None = Field(
        None, description="Seconds of event time after which an idle key's state is dropped."
    )
    tail_events: Count = Field(
        2_000,
        description="Input messages re-read to rebuild the context of a partition that moved.",
    )

    def model_post_init(self, _: Any) -> None:
        """Count `kind` as given: what is dumped without defaults must say which section it was."""
        self.model_fields_set.add("kind")

    def columns(self) -> ColumnSpec:
        """What this kind reads of an event; the codecs ask, and they load no torch."""
        raise NotImplementedError
