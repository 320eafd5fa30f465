"""Rows of a file to columns of events; unreadable rows and cells become dead letters.

B = events, C = numbers of an event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from streamssl.codecs.arrow_columns import list_values
from streamssl.codecs.bad_fields import FieldPolicy, Kept, bad_fields
from streamssl.codecs.base import Decoder, Encoder, Sample
from streamssl.codecs.cell_reasons import cell_remedy
from streamssl.codecs.cells import is_untyped, num_values, numbers, seconds, text_values, texts
from streamssl.codecs.dead_letters import Fault, OriginalBytesEncoder, bad_time_fault
from streamssl.codecs.keys import long_keys
from streamssl.codecs.rows import Faults, Rows, events_of, text_batch
from streamssl.codecs.table_fields import column_names
from streamssl.codecs.table_letters import row_letter, unreadable_rows
from streamssl.codecs.table_times import wanted_time
from streamssl.codecs.texts import byte_lengths, long_texts
from streamssl.config.sections import InputConfig
from streamssl.data.channels import Choice
from streamssl.data.events import (
    BoolArray,
    DeadLetter,
    Decoded,
    FloatArray,
    OutputRecord,
    Schema,
    Slice,
)
from streamssl.data.results import Results
from streamssl.data.written import written_of

_FLOATS = {pa.float32(), pa.float64()}


class TableDecoder:
    """Rows of an Arrow batch to events, one event a row.

    Args:
        topic: What the event ids begin with: the file's name.
        schema: The columns, as `table_choice` decided them.
        input: Which columns are time and key (without: the row number, and no key), and limits.
        required: True: a row that lacks a column is a dead letter.
        time_digits: Of times that are dates as numbers (`table_times.time_digits`); 0: none are.
    """

    def __init__(
        self,
        *,
        topic: str,
        schema: Schema,
        input: InputConfig,  # noqa: A002 (the YAML section's name)
        required: bool = False,
        time_digits: int = 0,
    ) -> None:
        self._topic = topic
        self.named: Schema | None = schema
        self._config = input
        self._required = required
        self._time_digits = time_digits
        self._policy = FieldPolicy(input, required=required)

    def sample(self, piece: Slice) -> Sample:  # noqa: ARG002
        """Nothing: a table's columns are decided before its first event."""
        return Sample(())

    def choose(self, samples: Sequence[Sample]) -> Choice:  # noqa: ARG002
        """The columns that are known."""
        return Choice(self.named)

    def others(self, piece: Slice, known: Collection[str]) -> Counter[str]:
        """Columns that are not known and hold a value."""
        rows = piece.payload
        assert isinstance(rows, pa.RecordBatch)
        if self._config.values_field is not None:
            return Counter()
        new = [name for name in column_names(rows.schema) if name not in known]
        return +Counter(
            {name: num_values(rows.column(name), rows.schema.field(name)) for name in new}
        )

    def decode(self, piece: Slice, schema: Schema | None) -> Decoded:
        """The readable rows of a slice, and a dead letter for every other row."""
        rows, schema = piece.payload, schema or self.named
        assert isinstance(rows, pa.RecordBatch)
        assert schema is not None
        faults, kept = unreadable_rows(rows), Kept()
        columns = Rows(
            self._keys(rows, faults),
            self._times(piece, rows, faults),
            self._values(rows, schema.fields, faults, kept),
            self._texts(rows, schema.texts, faults),
        )
        offset_B = np.arange(piece.start, piece.start + rows.num_rows)
        batch = events_of(
            columns,
            schema.fields,
            topic=self._topic,
            partition=piece.partition,
            offset=offset_B,
            index=0,
            faults=faults,
        )
        letters = tuple(row_letter(piece, rows, row, faults[row]) for row in sorted(faults))
        return Decoded(batch, letters, schema, bad_fields(kept, faults, offset_B))

    def _keys(self, rows: pa.RecordBatch, faults: Faults) -> pa.StringArray:
        if self._config.key_field is None:
            return pa.repeat(pa.scalar("", pa.utf8()), rows.num_rows)
        column = rows.column(self._config.key_field)
        keys = texts(column).fill_null("")
        for row, fault in long_keys(keys, self._config).items():
            faults.setdefault(row, fault)
        return keys

    def _times(self, piece: Slice, rows: pa.RecordBatch, faults: Faults) -> FloatArray:
        name = self._config.time_field
        if name is None:
            return np.arange(piece.start, piece.start + rows.num_rows, dtype=np.float64)
        column, field = rows.column(name), rows.schema.field(name)
        time_B = seconds(column, field, digits=self._time_digits)
        for row in np.flatnonzero(np.isnan(time_B)).tolist():
            wanted = wanted_time(field, self._time_digits)
            faults.setdefault(row, bad_time_fault(name, column[row].as_py(), wanted))
        return time_B

    def _values(
        self, rows: pa.RecordBatch, fields: tuple[str, ...], faults: Faults, kept: Kept
    ) -> FloatArray:
        if (name := self._config.values_field) is not None:
            columns = [rows.column(name)] * len(fields)
            values_BC, found = list_values(name, rows.column(name), len(fields))
            no_number_BC = None
            faults.update({row: fault for row, fault in found.items() if row not in faults})
        else:
            columns = [rows.column(name) for name in fields]
            as_text = self._config.numbers_as_text
            values_BC, no_number_BC = _numbers(rows, fields, as_text=as_text)

        def detail(reason: str, row: int, place: int) -> str:  # noqa: ARG001
            return _told_cell(fields[place], columns[place][row])

        judged = self._policy.judge(values_BC, no_number_BC, detail)
        for row, fault in judged.faults.items():
            if fault.reason == "wrong_type" and no_number_BC is not None:
                place = int(no_number_BC[row].argmax())
                fault = _with_remedy(fault, columns[place][row], rows.schema.field(fields[place]))
            faults.setdefault(row, fault)
        kept.update(judged.kept)
        if self._required:
            absent_BC = np.isnan(values_BC)
            for place in np.flatnonzero(absent_BC.any(0)).tolist():
                absent_B = absent_BC[:, place]
                _add_faults(absent_B, "missing_field", fields[place], columns[place], faults)
        return values_BC

    def _texts(
        self, rows: pa.RecordBatch, names: tuple[str, ...], faults: Faults
    ) -> pa.RecordBatch | None:
        columns = []
        for name in names:
            column = rows.column(name)
            found, no_text_B = text_values(column, rows.schema.field(name))
            absent_B = found.is_null().to_numpy(zero_copy_only=False) & self._required
            _add_faults(no_text_B, "wrong_type", name, column, faults)
            _add_faults(absent_B, "missing_field", name, column, faults)
            for row, fault in long_texts(name, byte_lengths(found)).items():
                faults.setdefault(row, fault)
            columns.append(found)
        return text_batch(names, columns)


class TableCodec:
    """What the engine needs to read and write files: results travel as columns, not as bytes.

    Args:
        decoder: Reads the rows.
        dead_letters: Writes the rows that could not be read.
        incidents: Writes what is told of incidents.
    """

    def __init__(
        self, decoder: Decoder, dead_letters: OriginalBytesEncoder, incidents: Encoder
    ) -> None:
        self.decoder = decoder
        self._dead_letters, self._incidents = dead_letters, incidents

    def encode(
        self,
        results: Results | None,
        dead_letters: tuple[DeadLetter, ...],
    ) -> list[OutputRecord]:
        """One record a dead letter, and one for each thing told of an incident."""
        told = [] if results is None else self._incidents.encode(results)
        return self._dead_letters.encode(dead_letters) + told


def _numbers(
    rows: pa.RecordBatch, fields: tuple[str, ...], *, as_text: bool
) -> tuple[FloatArray, BoolArray | None]:
    """`[B, C]` values, and where there is a cell that is no number; None where there is none."""
    shape = (rows.num_rows, len(fields))
    types = {rows.schema.field(name).type for name in fields}
    if types and types <= _FLOATS:  # All at once: most of a wide table's time is calls.
        block = rows.select(list(fields)).to_tensor(null_to_nan=True)
        return block.to_numpy().astype(np.float64), None
    values_BC, no_number_BC = np.empty(shape), np.zeros(shape, np.bool_)
    for place, name in enumerate(fields):
        found = numbers(rows.column(name), rows.schema.field(name), as_text=as_text)
        values_BC[:, place], no_number_BC[:, place] = found
    return values_BC, no_number_BC


def _add_faults(bad_B: BoolArray, reason: str, name: str, column: pa.Array, faults: Faults) -> None:
    """Give the rows of `bad_B` that have no fault yet one, with the cell's text."""
    for row in np.flatnonzero(bad_B).tolist():
        if row not in faults:
            faults[row] = Fault(reason, _told_cell(name, column[row]))


def _with_remedy(fault: Fault, cell: pa.Scalar, field: pa.Field) -> Fault:
    """The fault of a cell as it was written, with the option of CSV that mends it."""
    if not is_untyped(field):
        return fault
    return fault._replace(remedy=cell_remedy(str(cell.as_py()), written_of(field)))


def _told_cell(name: str, cell: pa.Scalar) -> str:
    return f"column {name!r}: {str(cell.as_py())[:100]!r}"
