"""The same engine over a file: a backtest that ends by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamssl.codecs.dead_letters import OriginalBytesEncoder
from streamssl.codecs.table import TableCodec, TableDecoder
from streamssl.codecs.table_fields import table_fields
from streamssl.config.root import Config
from streamssl.engine.loop import Engine
from streamssl.engine.watch import Summary
from streamssl.stream_learner import StreamLearner
from streamssl.transport.files import FileTransport


def backtest(
    config: Config,
    transport: FileTransport,
    *,
    save: Path | None = None,
    on_progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Score a file from its first row to its last, and learn from it on the way.

    Args:
        config: The configuration; of `input` what names columns and bounds keys.
        transport: The files.
        save: Folder for a checkpoint of the final state, its last epoch closed.
        on_progress: Called after every transaction.

    Returns:
        What was done.

    Raises:
        TableError: A named column is missing, or none is numeric.
        InputFileError: A file cannot be read or written.
    """
    fields = table_fields(transport.scan(), input=config.input, fields=config.modality.fields)
    decoder = TableDecoder(
        topic=transport.topic,
        fields=fields,
        input=config.input,
        required=config.modality.required,
    )
    learner = StreamLearner.from_config(config)
    summary = Engine(
        config=config,
        transport=transport,
        learner=learner,
        codec=TableCodec(decoder, OriginalBytesEncoder(topic=transport.topic)),
        live=False,
        on_progress=on_progress,
    ).run()
    if save is not None:
        learner.save(save)
    return summary


def scorer_names(config: Config) -> list[str]:
    """The scorers that are switched on, in the order of their columns."""
    return [name for name, section in config.scorers if section.enabled]
