"""The record batch that a stream's events are rows of: its columns, and the faults of rows.

B = rows, C = numbers of an event.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from streamssl.codecs import arrow_columns
from streamssl.codecs.bad_fields import FieldPolicy, Kept, named_detail
from streamssl.codecs.base import Sample
from streamssl.codecs.dead_letters import MAX_NAMES_SHOWN, Fault, UnreadableError, bad_time_fault
from streamssl.codecs.keys import record_keys
from streamssl.codecs.remedies import OTHER_FIELDS, ROLES, UNDECIDED
from streamssl.codecs.row_sample import sampled_rows
from streamssl.codecs.rows import Faults, Rows, is_good, text_batch
from streamssl.codecs.texts import long_texts, missing_texts
from streamssl.config.sections import InputConfig
from streamssl.data.arrow_types import column_at, has_column
from streamssl.data.events import BoolArray, FloatArray, Message, Schema
from streamssl.data.listing import listed
from streamssl.data.times import bad_times


class ArrowLayout:
    """How events are written as rows of a record batch.

    Args:
        config: Where the time, the key and the list of values are.
        required: Whether every column must be there and not null.
        max_bytes: Most bytes of a message's numbers, and of its texts.
    """

    def __init__(self, *, config: InputConfig, required: bool, max_bytes: int) -> None:
        self._config = config
        self._required = required
        self._policy = FieldPolicy(config, required=required)
        self._max_bytes = max_bytes

    def columns(
        self, message: Message, rows: pa.RecordBatch, schema: Schema
    ) -> tuple[Rows, Faults, Kept]:
        """The columns of a message's rows, the faults of rows, and what they lack.

        Args:
            message: Whose key and timestamp count where the rows have none.
            rows: At least one.
            schema: The stream's columns.

        Raises:
            UnreadableError: No row can be read.
        """
        keys, key_faults = self._keys(message, rows)
        time_B, faults = self._times(message, rows)
        faults = key_faults | faults
        values_BC, value_faults, kept = self._values(rows, schema)
        texts, text_faults = self._text_columns(rows, schema)
        found = text_faults | value_faults | faults
        return Rows(keys, time_B, values_BC, texts), found, kept

    def sample(self, message: Message, rows: pa.RecordBatch, texts: Collection[str] = ()) -> Sample:
        """The rows that can be read, whatever the numbers of the stream are.

        Raises:
            UnreadableError: No row can be read.
        """
        keys, key_faults = self._keys(message, rows)
        time_B, faults = self._times(message, rows)
        return sampled_rows(
            rows,
            partition=message.partition,
            keys=keys.to_pylist(),
            time_B=time_B,
            good_B=is_good(key_faults | faults, rows.num_rows),
            texts=texts,
            values_field=self._config.values_field,
        )

    def _keys(self, message: Message, rows: pa.RecordBatch) -> tuple[pa.StringArray, Faults]:
        if self._config.key_field is not None:
            column = _column(rows, self._config.key_field, "key_field")
            return arrow_columns.keys(self._config.key_field, column, self._config)
        keys, faults = record_keys([message], self._config)
        if faults:
            raise UnreadableError(*faults[0])
        return pa.repeat(keys[0], rows.num_rows), {}

    def _times(self, message: Message, rows: pa.RecordBatch) -> tuple[FloatArray, Faults]:
        if self._config.time_field is not None:
            column = _column(rows, self._config.time_field, "time_field")
            return arrow_columns.times(self._config.time_field, column)
        time_B = np.full(rows.num_rows, message.timestamp_ms / 1e3)
        fault = bad_time_fault("timestamp", message.timestamp_ms)
        return time_B, dict.fromkeys(np.flatnonzero(bad_times(time_B)).tolist(), fault)

    def _values(self, rows: pa.RecordBatch, schema: Schema) -> tuple[FloatArray, Faults, Kept]:
        fields = schema.fields
        if not any(schema):
            raise UnreadableError("missing_field", "no row has a number to read", UNDECIDED)
        if rows.num_rows * len(fields) * 8 > self._max_bytes:
            raise UnreadableError("too_large", f"{rows.num_rows} rows of {len(fields)} numbers")
        absent = self._absent(rows, schema)
        if self._config.values_field is not None:
            column = _column(rows, self._config.values_field, "values_field")
            values_BC, faults = arrow_columns.list_values(
                self._config.values_field, column, len(fields)
            )
            wrong_BC = None
        else:
            values_BC, wrong_BC = self._named_values(rows, fields, absent)
            faults = Faults()
        judged = self._policy.judge(values_BC, wrong_BC, named_detail(fields))
        found = judged.faults
        if self._required:
            missing = np.isnan(values_BC).any(axis=1)
            fault = Fault("missing_field", "a required number is null or NaN")
            found = dict.fromkeys(np.flatnonzero(missing).tolist(), fault) | found
        return values_BC, found | faults, judged.kept

    def _named_values(
        self, rows: pa.RecordBatch, fields: tuple[str, ...], absent: set[str]
    ) -> tuple[FloatArray, BoolArray]:
        """`[B, C]` values of columns, and where there is something that is no number."""
        shape = rows.num_rows, len(fields)
        values_BC, wrong_BC = np.full(shape, np.nan), np.zeros(shape, np.bool_)
        for place, name in enumerate(fields):
            if name not in absent:
                values_BC[:, place], wrong_BC[:, place] = arrow_columns.numbers(
                    name, column_at(rows, name), self._config, keeps=self._policy.keeps
                )
        return values_BC, wrong_BC

    def _absent(self, rows: pa.RecordBatch, schema: Schema) -> set[str]:
        """Columns that the message lacks; it may not lack all of them."""
        by_list = self._config.values_field is not None
        wanted = {*schema.texts, *(() if by_list else schema.fields)}
        absent = {name for name in wanted if not has_column(rows.schema, name)}
        has_none = len(absent) == len(wanted) and not by_list
        if has_none:
            told = f"has none of the columns {_listed([*schema.fields, *schema.texts])}; there are "
            names = _listed(rows.schema.names) or "none"
            raise UnreadableError("missing_field", told + names, OTHER_FIELDS)
        if absent and self._required:
            raise UnreadableError("missing_field", f"no column {min(absent)!r}")
        return absent

    def _text_columns(
        self, rows: pa.RecordBatch, schema: Schema
    ) -> tuple[pa.RecordBatch | None, Faults]:
        columns, faults, num_bytes = [], Faults(), 0
        for name in schema.texts:
            if has_column(rows.schema, name):
                column, length_B = arrow_columns.texts(name, column_at(rows, name))
            else:
                column, length_B = pa.nulls(rows.num_rows, pa.utf8()), np.zeros(0, np.int64)
            num_bytes += column.nbytes
            if num_bytes > self._max_bytes:
                raise UnreadableError("too_large", f"{num_bytes} bytes of text")
            found = long_texts(name, length_B)
            faults = (missing_texts(name, column) if self._required else {}) | found | faults
            columns.append(column)
        return text_batch(schema.texts, columns), faults


def _column(rows: pa.RecordBatch, name: str, role: str) -> pa.Array:
    if not has_column(rows.schema, name):
        told = f"no column {name!r} (input.{role}); there are {_listed(rows.schema.names)}"
        raise UnreadableError("missing_field", told, ROLES[role])
    return column_at(rows, name)


def _listed(names: Sequence[str]) -> str:
    return listed(map(repr, names), MAX_NAMES_SHOWN)
