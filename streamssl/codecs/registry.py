"""The codecs by name, and the bundle that a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from streamssl.codecs.arrow import ArrowDecoder
from streamssl.codecs.base import Decoder, Encoder
from streamssl.codecs.dead_letters import OriginalBytesEncoder
from streamssl.codecs.embeddings import ArrowEmbeddings, JsonEmbeddings
from streamssl.codecs.incidents import ArrowIncidents, JsonIncidents
from streamssl.codecs.json import JsonDecoder
from streamssl.codecs.scores import ArrowScores, JsonScores
from streamssl.config.root import Config
from streamssl.data.events import DeadLetter, OutputRecord, StreamsslError
from streamssl.data.results import Results
from streamssl.version import __version__

DECODERS: dict[str, Callable[..., Decoder]] = {"json": JsonDecoder, "arrow": ArrowDecoder}
SCORES: dict[str, Callable[..., Encoder]] = {"json": JsonScores, "arrow": ArrowScores}
EMBEDDINGS: dict[str, Callable[..., Encoder]] = {"json": JsonEmbeddings, "arrow": ArrowEmbeddings}
INCIDENTS: dict[str, Callable[..., Encoder]] = {"json": JsonIncidents, "arrow": ArrowIncidents}
_T = TypeVar("_T")


class UnknownCodecError(StreamsslError):
    """A codec that does not exist was asked for."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class MessageCodec:
    """Messages to columns and back, for one stream.

    Attributes:
        scores: None where the output is switched off.
        embeddings, incidents: The same.
    """

    decoder: Decoder
    scores: Encoder | None
    embeddings: Encoder | None
    incidents: Encoder | None
    dead_letters: OriginalBytesEncoder

    def encode(
        self, results: Results | None, dead_letters: tuple[DeadLetter, ...] = ()
    ) -> list[OutputRecord]:
        """Records for one partition's part of a transaction; None where no event was read."""
        records = self.dead_letters.encode(dead_letters)
        for encoder in (self.scores, self.embeddings, self.incidents):
            if encoder is not None and results is not None:
                records += encoder.encode(results)
        return records


def build_codec(config: Config) -> MessageCodec:
    """The codec that a configuration asks for.

    Raises:
        UnknownCodecError: A name is not in its registry.
        FieldNamesError: The configured field names contradict one another.
    """
    source, name = config.input, config.app.name
    columns = config.modality.columns()
    scores, embeddings = config.outputs.scores, config.outputs.embeddings
    incidents = config.outputs.incidents
    return MessageCodec(
        decoder=_look_up(DECODERS, source.codec)(
            topic=source.topic,
            fields=columns.numbers,
            texts=columns.texts,
            input=source,
            required=columns.required,
        ),
        scores=_look_up(SCORES, scores.format)(name=name, version=__version__)
        if scores.enabled
        else None,
        embeddings=_look_up(EMBEDDINGS, embeddings.format)(name=name)
        if embeddings.enabled
        else None,
        incidents=_look_up(INCIDENTS, incidents.format)(name=name, version=__version__)
        if incidents.enabled
        else None,
        dead_letters=OriginalBytesEncoder(topic=source.topic),
    )


def _look_up(registry: Mapping[str, _T], name: str) -> _T:
    if name not in registry:
        raise UnknownCodecError(f"no codec {name!r}; there are: {', '.join(sorted(registry))}")
    return registry[name]
