"""Dead letters of a table's rows."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from streamssl.codecs.dead_letters import Fault
from streamssl.codecs.rows import Faults
from streamssl.codecs.table_fields import column_names
from streamssl.data.events import ORIGINAL, UNREADABLE, DeadLetter, Message, Slice

LINE_REMEDIES = {
    "wrong_count": "write as many cells a line as the first one has: quotes around cells with a "
    "separator in them, and none at the end of a line",
    "bad_csv": "name the file's encoding by --encoding, such as cp1252, or save it as UTF-8",
}


def unreadable_rows(rows: pa.RecordBatch) -> Faults:
    """Faults of the rows that the reader marked as no rows."""
    if UNREADABLE not in rows.schema.names:
        return {}
    reasons = rows.column(UNREADABLE)
    if reasons.null_count == len(reasons):
        return {}
    marked = np.flatnonzero(reasons.is_valid().to_numpy(zero_copy_only=False))
    words = {row: reasons[row].as_py().partition(": ") for row in marked.tolist()}
    return {
        row: Fault(reason, detail, LINE_REMEDIES.get(reason, ""))
        for row, (reason, _, detail) in words.items()
    }


def row_letter(piece: Slice, rows: pa.RecordBatch, row: int, fault: Fault) -> DeadLetter:
    """The dead letter of a row: its bytes where the reader kept them, else its cells as JSON."""
    original = rows.column(ORIGINAL)[row].as_py() if ORIGINAL in rows.schema.names else None
    value = _encode_row(rows, row) if original is None else original
    message = Message(piece.partition, piece.start + row, None, value)
    return DeadLetter(message, None, *fault)


def _encode_row(rows: pa.RecordBatch, row: int) -> bytes:
    cells = {name: rows.column(name)[row].as_py() for name in column_names(rows.schema)}
    return json.dumps(cells, default=str, ensure_ascii=False).encode()
