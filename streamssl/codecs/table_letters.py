"""Dead letters of a table's rows."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pyarrow as pa

from streamssl.codecs.cells import is_json
from streamssl.codecs.dead_letters import Fault
from streamssl.codecs.rows import Faults
from streamssl.codecs.table_fields import column_names
from streamssl.data.events import EXTRA, ORIGINAL, UNREADABLE, DeadLetter, Message, Slice


def unreadable_rows(rows: pa.RecordBatch) -> Faults:
    """Faults of the rows that the reader marked as no rows."""
    if UNREADABLE not in rows.schema.names:
        return {}
    reasons = rows.column(UNREADABLE)
    if reasons.null_count == len(reasons):
        return {}
    marked = np.flatnonzero(reasons.is_valid().to_numpy(zero_copy_only=False))
    words = {row: reasons[row].as_py().partition(": ") for row in marked.tolist()}
    return {row: Fault(reason, detail) for row, (reason, _, detail) in words.items()}


def extra_names(rows: pa.RecordBatch) -> Counter[str]:
    """Fields that the reader found without having a column for them, by their rows."""
    if EXTRA not in rows.schema.names:
        return Counter()
    texts = rows.column(EXTRA).drop_null().to_pylist()
    return Counter(name for text in texts for name in json.loads(text))


def row_letter(piece: Slice, rows: pa.RecordBatch, row: int, fault: Fault) -> DeadLetter:
    """The dead letter of a row: its bytes where the reader kept them, else its cells as JSON."""
    original = rows.column(ORIGINAL)[row].as_py() if ORIGINAL in rows.schema.names else None
    value = _encode_row(rows, row) if original is None else original
    message = Message(piece.partition, piece.start + row, None, value)
    return DeadLetter(message, None, fault.reason, fault.detail)


def _encode_row(rows: pa.RecordBatch, row: int) -> bytes:
    cells = [
        f"{json.dumps(name, ensure_ascii=False)}: {_encode_cell(rows.column(name)[row], field)}"
        for name in column_names(rows.schema)
        for field in [rows.schema.field(name)]
    ]
    return f"{{{', '.join(cells)}}}".encode()


def _encode_cell(cell: pa.Scalar, field: pa.Field) -> str:
    value = cell.as_py()
    if is_json(field):
        return str(value)
    return json.dumps(value, default=str, ensure_ascii=False)
