"""CSV: any separator, quotes, repeated names, and rows that are no rows.

Blocks are parsed by Arrow; a block in which a row is broken is parsed again row by row, so that
exactly the broken rows are marked.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as arrow_csv

from streamssl.transport.files.blocks import TextSource, wide_encoding
from streamssl.transport.files.csv_header import find_preamble
from streamssl.transport.files.csv_layout import CsvLayout, find_layout
from streamssl.transport.files.csv_options import CsvOptions
from streamssl.transport.files.csv_watch import CsvWatch
from streamssl.transport.files.rows import InputFileError, Unreadable, untyped_schema, with_marks

HEAD_BYTES = 4_096
_LINE_END = re.compile(rb'\r\n|\n|\r|"')


class CsvReader:
    """One pass over a CSV file; cells stay text.

    Args:
        path: The file, plain or `.gz`.
        options: How it is written; what they leave open is found out by its first lines.
    """

    def __init__(self, path: Path, options: CsvOptions | None = None) -> None:
        self._path = path
        self._options = options or CsvOptions()
        self.fraction = 0.0
        self.notes: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in order; blank lines are no rows.

        Raises:
            InputFileError: The file is no text, its first line has other cells than those below,
                or names that are not in its encoding.
        """
        layout: CsvLayout | None = None
        watch = CsvWatch(self._options.na_values or ())
        with TextSource(self._path, self._options.encoding) as source:
            for block in source.blocks(quoted=True):
                body = block
                if layout is None:
                    body = block.lstrip(b"\r\n")
                    if not body:
                        continue
                    layout, body = self._begin(body, source)
                self.fraction = source.fraction
                schema = untyped_schema(layout.names, layout.written)
                rows = parse_block(body, schema, layout.separator)
                watch.look(body, rows)
                yield rows
        self.notes += tuple(watch.notes())
        self.warnings += tuple(watch.warnings())

    def _begin(self, body: bytes, source: TextSource) -> tuple[CsvLayout, bytes]:
        """The layout by the first block, and what of it are rows."""
        preamble = find_preamble(body)
        body = body[preamble.num_bytes :].lstrip(b"\r\n")
        options = self._options
        if preamble.separator and options.delimiter is None:
            options = replace(options, delimiter=preamble.separator)
        try:
            layout = find_layout(body, options)
        except InputFileError as error:
            raise InputFileError(f"{self._path}: {error}") from None
        header = body[: _end_of_record(body)] if layout.has_header else b""
        self._check_encoding(body[:HEAD_BYTES], header)
        self.notes = (*self._told_encoding(source), *preamble.notes, *layout.notes)
        return layout, body[len(header) :]

    def _check_encoding(self, head: bytes, header: bytes) -> None:
        if b"\0" in head:
            name = wide_encoding(head) or "utf-16"
            raise InputFileError(
                f"{self._path} holds zero bytes, as {name} has them: --encoding {name} reads it"
            )
        try:
            self._check_names(header.decode())
        except UnicodeDecodeError:
            said = self._options.encoding or "utf-8"
            raise InputFileError(
                f"{self._path}: its header {header.strip()[:60]!r} is not in {said}: name "
                "another --encoding, such as cp1252"
            ) from None

    def _check_names(self, header: str) -> None:
        """Warn of a single-byte encoding by which UTF-8 was read: the names are garbled."""
        with contextlib.suppress(UnicodeError):
            raw = header.encode(self._options.encoding or "utf-8")
            if raw.decode() != header:
                self.warnings = (
                    f"--encoding {self._options.encoding}: the names are UTF-8, so that they read "
                    f"{header.strip()[:60]!r}; leave it out",
                )

    def _told_encoding(self, source: TextSource) -> tuple[str, ...]:
        if self._options.encoding is not None or source.encoding in (None, "utf-8"):
            return ()
        return (f"the encoding {source.encoding} (--encoding)",)


def parse_block(block: bytes, schema: pa.Schema, separator: str) -> pa.RecordBatch:
    """The rows of a block of whole lines, as text columns."""
    if block.count(b'"') % 2 == 0 and block.strip(b"\r\n"):
        try:
            return _parse_fast(block, schema, separator)
        except pa.ArrowInvalid:
            pass
    return _parse_rows(block, schema, separator)


def _parse_fast(block: bytes, schema: pa.Schema, separator: str) -> pa.RecordBatch:
    table = arrow_csv.read_csv(
        pa.py_buffer(block),
        arrow_csv.ReadOptions(
            column_names=schema.names, use_threads=False, block_size=len(block) + 1
        ),
        arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=b'"' in block),
        arrow_csv.ConvertOptions(column_types=schema, strings_can_be_null=False),
    )
    columns = [column.combine_chunks() for column in table.columns]
    return with_marks(pa.RecordBatch.from_arrays(columns, schema=schema))


def _parse_rows(block: bytes, schema: pa.Schema, separator: str) -> pa.RecordBatch:
    num_columns = len(schema)
    text = block.decode("utf-8", "surrogateescape")
    rows = list(_rows(io.StringIO(text, newline=""), num_columns, separator))
    nothing = [None] * num_columns
    cells = [nothing if isinstance(row, Unreadable) else row for row in rows]
    columns = zip(*cells, strict=True) if cells else [()] * num_columns
    batch = pa.RecordBatch.from_arrays(
        [pa.array(column, pa.string()) for column in columns], schema=schema
    )
    return with_marks(batch, [row if isinstance(row, Unreadable) else None for row in rows])


def _rows(
    lines: Iterable[str], num_columns: int, separator: str
) -> Iterator[list[str] | Unreadable]:
    for cells, taken in _records(lines, separator):
        problem = _problem(cells, num_columns)
        is_stray = "".join(taken).count('"') % 2 == 1
        if len(taken) > 1 and (problem or is_stray):
            # A stray quotation mark joined lines that are rows of their own.
            for line in taken:
                yield from _rows([line], num_columns, separator)
        elif problem is None and cells is not None:
            yield cells
        elif cells != []:
            original = "".join(taken).rstrip("\r\n").encode("utf-8", "surrogateescape")
            yield Unreadable(problem or "", original)


def _records(lines: Iterable[str], separator: str) -> Iterator[tuple[list[str] | None, list[str]]]:
    taken: list[str] = []

    def feed() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(feed(), delimiter=separator)
    while True:
        taken.clear()
        try:
            yield next(reader), list(taken)
        except StopIteration:
            return
        except csv.Error:
            yield None, list(taken)


def _problem(cells: Sequence[str] | None, num_columns: int) -> str | None:
    if cells is None:
        return "bad_csv: a cell is too long"
    if len(cells) != num_columns:
        return f"wrong_count: {len(cells)} cells instead of {num_columns}"
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return "bad_csv: not UTF-8 (--encoding)"
    return None


def _end_of_record(block: bytes) -> int:
    quoted, first_line_end = False, 0
    for match in _LINE_END.finditer(block):
        if match.group() == b'"':
            quoted = not quoted
            continue
        first_line_end = first_line_end or match.end()
        if not quoted:
            return match.end()
    return first_line_end or len(block)
