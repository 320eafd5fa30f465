"""The transport over files: a replay reads one file to its end and writes others beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from streamssl.data.events import OutputRecord, Slice
from streamssl.transport.base import PartitionOutput, Receipt, Transaction
from streamssl.transport.files.csv_options import CsvOptions
from streamssl.transport.files.formats import (
    check_input,
    check_output,
    holds_messages,
    open_reader,
    open_writer,
)
from streamssl.transport.files.rows import InputFileError, Reader
from streamssl.transport.files.tables import (
    EMBEDDINGS_SCHEMA,
    embeddings_table,
    scores_schema,
    scores_table,
)
from streamssl.transport.files.writers import DraftFile, TableWriter, writing
from streamssl.transport.journal import JournalRecord

PARTITION = 0
INCARNATION = 1
File = TypeVar("File", bound=TableWriter | DraftFile)


class FileTransport:
    """One input file as one partition; offset = row number from 0.

    All outputs appear under their names when the whole input is committed and `close` is
    called; a replay that ends early leaves nothing and begins again at row 0.

    Args:
        input: CSV, Parquet or JSON Lines, by suffix.
        output: Scores, one row per input row, CSV, Parquet or JSON Lines by suffix. Beside it
            appear `<stem>.dlq.jsonl` (the rows that could not be read),
            `<stem>.incidents.jsonl` (what is told of incidents) and `<stem>.journal.jsonl`.
        embeddings: Where vectors go, CSV excluded; None: nowhere.
        scorers: Names of the scorers, each of which has a column.
        texts: Whether the stream has text columns.
        csv: How the input is written, where it is CSV.

    Raises:
        InputFileError: A name that cannot be read or written.
    """

    def __init__(
        self,
        input: Path,  # noqa: A002 - the option's name
        output: Path,
        *,
        embeddings: Path | None = None,
        scorers: Sequence[str] = (),
        texts: bool = False,
        csv: CsvOptions | None = None,
    ) -> None:
        self._csv = csv
        self._reader: Reader | None = None
        self.topic = input.name
        self.input = input
        self.output = output
        self.embeddings = embeddings
        self.dead_letters = output.with_name(f"{output.stem}.dlq.jsonl")
        self.incidents = output.with_name(f"{output.stem}.incidents.jsonl")
        self.journal_file = output.with_name(f"{output.stem}.journal.jsonl")
        self._schema = scores_schema(scorers, texts=texts)
        self._journal: list[JournalRecord] = []
        self._committed: int | None = None
        self._position = 0
        self._waiting: Any = None
        self._is_open = False
        self._drafts: list[tuple[Path, TableWriter | DraftFile]] = []
        self._check_names()

    def open(self) -> None:
        """Open the input and begin the outputs.

        Raises:
            InputFileError: The input cannot be read.
            OutputFileError: An output cannot be written.
        """
        self._reader = open_reader(self.input, self._csv)
        self._batches = _batches(self._reader)
        self._waiting = next(self._batches, None)
        self._letters = self._began(self.dead_letters, DraftFile)
        self._told = self._began(self.incidents, DraftFile)
        self._records = self._began(self.journal_file, DraftFile)
        self._scores = self._began(self.output, lambda path: open_writer(path, self._schema))
        self._vectors = self.embeddings and self._began(
            self.embeddings, lambda path: open_writer(path, EMBEDDINGS_SCHEMA)
        )
        self._is_open = True

    def scan(self) -> Iterator[Any]:
        """All rows from the first on, in another pass: Arrow batches, or lists of messages.

        Raises:
            InputFileError: The file cannot be read.
        """
        return open_reader(self.input, self._csv).batches()

    @property
    def outputs(self) -> list[Path]:
        """The files that a complete replay writes."""
        vectors = [self.embeddings] if self.embeddings else []
        return [self.output, *vectors, self.dead_letters, self.incidents, self.journal_file]

    @property
    def holds_messages(self) -> bool:
        """Whether the input's rows are messages, not rows of a table."""
        return holds_messages(self.input)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about how the input is written, in words; once it is open."""
        return () if self._reader is None else self._reader.notes

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was said of the input and does not fit, in words; once it was read."""
        return () if self._reader is None else self._reader.warnings

    @property
    def fraction(self) -> float:
        """Share of the input that was read, 0 to 1."""
        return self._reader.fraction if self._reader and self._is_open else 0.0

    def journal(self, position: int) -> tuple[list[tuple[int, JournalRecord]], int]:
        """The records of this replay from `position` on; an earlier replay's do not count."""
        records = self._journal[position:]
        return list(enumerate(records, start=position + 1)), 0

    def reread(self, partition: int, start: int, stop: int) -> Slice:
        """The rows of `[start, stop)` again."""
        pieces, row = [], 0
        for batch in self.scan():
            pieces.append(batch[max(start - row, 0) : max(stop - row, 0)])
            row += len(batch)
            if row >= stop:
                break
        rows = list(chain(*pieces)) if self.holds_messages else pa.concat_batches(pieces)
        return Slice(partition, 0, start, start + len(rows), rows)

    def beginning(self, partition: int) -> int:  # noqa: ARG002 - there is one partition
        """A file keeps all of its rows."""
        return 0

    def committed(self, partition: int) -> int | None:  # noqa: ARG002 - there is one partition
        """The position of this replay, None before its first commit."""
        return self._committed

    def join(self) -> None:
        """A file is held by whoever reads it."""

    def poll(self, max_messages: int, timeout_s: float) -> list[Slice]:  # noqa: ARG002
        """The next rows; a file never makes anyone wait."""
        if self._waiting is None:
            return []
        rows, rest = self._waiting[:max_messages], self._waiting[max_messages:]
        self._waiting = rest if len(rest) else next(self._batches, None)
        start = self._position
        self._position += len(rows)
        return [Slice(PARTITION, INCARNATION, start, self._position, rows)]

    def assignment(self) -> Mapping[int, int]:
        """The one partition, which never leaves."""
        return {PARTITION: INCARNATION}

    def commit(self, transaction: Transaction) -> Receipt:
        """Add the transaction's rows, dead letters and journal record to the outputs."""
        parts = transaction.parts.values()
        for part in parts:
            self._write(part)
        with writing(self.journal_file):
            self._records.stream.write(transaction.journal.encode() + b"\n")
        self._journal.append(transaction.journal)
        # Last, so that a failure above leaves the input uncommitted and the outputs unpublished.
        self._committed = max((part.range.stop for part in parts), default=self._committed)
        return Receipt(frozenset(transaction.parts), len(self._journal))

    def lag(self) -> Mapping[int, int]:
        """Nothing piles up while a file waits, so it never thins learning."""
        return {PARTITION: 0}

    def exhausted(self) -> bool:
        """True when the last row was polled."""
        return self._waiting is None

    def release_journal(self, position: int) -> None:
        """The sidecar is kept whole: it reproduces the replay."""

    def close(self) -> None:
        """Give the outputs their names if the whole input is committed, else leave nothing.

        Raises:
            OutputFileError: One cannot be finished; those that are not yet are removed.
        """
        committed = self._is_open and (self._committed or 0) == self._position
        complete = committed and self.exhausted()
        self._is_open = False
        try:
            while complete and self._drafts:
                path, file = self._drafts[0]
                with writing(path):
                    file.publish()
                self._drafts.pop(0)
        finally:
            for _, file in self._drafts:
                file.discard()
            self._drafts.clear()

    def _began(self, path: Path, begin: Callable[[Path], File]) -> File:
        """Begin an output, for `close` to finish or to remove."""
        with writing(path):
            file = begin(path)
        self._drafts.append((path, file))
        return file

    def _write(self, part: PartitionOutput) -> None:
        with writing(self.output):
            self._scores.write(scores_table(part.range, part.results, self._schema))
        if self.embeddings and self._vectors:
            with writing(self.embeddings):
                self._vectors.write(embeddings_table(part.range, part.results))
        with writing(self.dead_letters):
            for record in part.records:
                if record.topic == "dlq":
                    self._letters.stream.write(_dead_letter_line(record))
        with writing(self.incidents):
            for record in part.records:
                if record.topic == "incidents":
                    self._told.stream.write((record.value or b"") + b"\n")

    def _check_names(self) -> None:
        check_input(self.input, self._csv)
        for path in filter(None, (self.output, self.embeddings)):
            check_output(path)
        for path in self.outputs:
            if path.resolve() == self.input.resolve():
                raise InputFileError(f"{path}: output and input are the same file")
        if self.embeddings and self.embeddings.suffix.lower() == ".csv":
            raise InputFileError(f"{self.embeddings}: vectors go to .parquet, CSV has no lists")
        if self.embeddings and self.embeddings.resolve() == self.output.resolve():
            raise InputFileError(f"{self.output}: scores and embeddings need two files")


def _batches(reader: Reader) -> Iterator[Any]:
    return (batch for batch in reader.batches() if len(batch))


def _dead_letter_line(record: OutputRecord) -> bytes:
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    line = {
        "row": int(headers["origin_offset"]),
        "reason": headers["reason"],
        "detail": headers["detail"],
        "original": (record.value or b"").decode(errors="replace"),
    }
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"
