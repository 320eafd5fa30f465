"""The same engine over a file: a backtest that ends by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from streamssl.codecs.base import Decoder
from streamssl.codecs.dead_letters import OriginalBytesEncoder
from streamssl.codecs.fields import NO_COLUMNS
from streamssl.codecs.first_messages import check_readable, messages_choice
from streamssl.codecs.incidents import JsonIncidents
from streamssl.codecs.json import JsonDecoder
from streamssl.codecs.rows import empty_batch
from streamssl.codecs.table import TableCodec, TableDecoder
from streamssl.codecs.table_fields import table_choice
from streamssl.codecs.table_hints import option_hints
from streamssl.codecs.table_sample import first_rows
from streamssl.codecs.table_times import time_digits
from streamssl.config.root import Config
from streamssl.data.channels import SAMPLE_ROWS, Choice
from streamssl.data.events import Slice
from streamssl.engine.engine import Engine
from streamssl.engine.summary import Summary
from streamssl.host.local import LocalHost
from streamssl.stream import StreamLearner
from streamssl.transport.files import CsvOptions, FileTransport
from streamssl.version import __version__


class Backtest:
    """Scores a file from its first row to its last, and learns from it on the way.

    The start-up is done when it is constructed: the columns are decided, the networks built.

    Args:
        config: The configuration; of `input` what names columns and bounds keys.
        transport: The files.
        on_progress: Called after every transaction.
        clock: Seconds that only grow.

    Attributes:
        hints: Options that seem to fit the file and are not given.

    Raises:
        TableError: A named column is missing, or none is numeric.
        InputFileError: A file cannot be read.
    """

    def __init__(
        self,
        config: Config,
        transport: FileTransport,
        *,
        on_progress: Callable[[Summary], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        choice, decoder = columns_of(config, transport)
        schema = choice.schema or NO_COLUMNS
        holds_rows = not transport.holds_messages
        sample = first_rows(transport.scan(), SAMPLE_ROWS) if holds_rows else None
        self.hints = option_hints(sample, choice, input=config.input)
        self._learner = StreamLearner.from_config(config)
        self._clock = clock
        self._engine = Engine(
            config=config,
            transport=transport,
            host=LocalHost(self._learner),
            codec=TableCodec(
                decoder,
                OriginalBytesEncoder(topic=transport.topic),
                JsonIncidents(name=config.app.name, version=__version__),
            ),
            live=False,
            clock=clock,
            on_progress=on_progress,
        )
        self._engine.chose_columns(choice)
        if any(schema):  # A stream builds its networks at the first batch, be it empty.
            self._learner.score(empty_batch(transport.topic, schema))

    def run(self, *, save: Path | None = None) -> Summary:
        """Score and learn all rows of the input, and write the outputs.

        Args:
            save: Folder for a checkpoint of the final state, its last epoch closed.

        Returns:
            What was done; its seconds go from the first row taken to the last output.

        Raises:
            InputFileError: A file cannot be read or written.
        """
        began_s = self._clock()
        summary = self._engine.run()
        summary.seconds = self._clock() - began_s
        if save is not None:
            self._learner.save(save)
        return summary


def open_files(
    config: Config,
    source: Path,
    output: Path,
    embeddings: Path | None = None,
    csv: CsvOptions | None = None,
) -> FileTransport:
    """The transport of a replay whose output has the columns of the configuration.

    Raises:
        InputFileError: A name that cannot be read or written.
    """
    return FileTransport(
        source,
        output,
        embeddings=embeddings,
        scorers=scorer_names(config),
        texts=bool(config.modality.columns().texts),
        csv=csv,
    )


def columns_of(config: Config, transport: FileTransport) -> tuple[Choice, Decoder]:
    """What the columns of a file are, and what reads them: of messages as the daemon does.

    Raises:
        TableError: A named column is missing, none is numeric, or no row can be read.
    """
    decide = _of_messages if transport.holds_messages else _of_table
    return decide(config, transport)


def _of_table(config: Config, transport: FileTransport) -> tuple[Choice, Decoder]:
    """What the columns of a table are, and what reads them."""
    wanted = config.modality.columns()
    choice = table_choice(
        transport.scan(),
        input=config.input,
        fields=wanted.numbers,
        texts=wanted.texts,
        required=wanted.required,
    )
    schema = choice.schema or NO_COLUMNS
    first = first_rows(transport.scan(), SAMPLE_ROWS)
    decoder = TableDecoder(
        topic=transport.topic,
        schema=schema,
        input=config.input,
        required=wanted.required,
        time_digits=time_digits(first, config.input.time_field),
    )
    if first is not None:
        check_readable(Slice(0, 0, 0, len(first), first), decoder, choice)
    return choice, decoder


def _of_messages(config: Config, transport: FileTransport) -> tuple[Choice, Decoder]:
    """What the columns of messages are, and what reads them: as in the daemon."""
    wanted = config.modality.columns()

    def reader(fields: Literal["auto"] | Sequence[str]) -> Decoder:
        return JsonDecoder(
            topic=transport.topic,
            fields=fields,
            texts=wanted.texts,
            input=config.input,
            required=wanted.required,
        )

    decoder = reader(wanted.numbers)
    choice = messages_choice(transport.scan(), decoder)
    known = decoder.named or choice.schema
    return choice, reader(known.fields) if known else decoder


def scorer_names(config: Config) -> list[str]:
    """The scorers that are switched on, in the order of their columns."""
    core = {"core": config.modality.core_name}
    return [core.get(name, name) for name in config.scorers.enabled()]
