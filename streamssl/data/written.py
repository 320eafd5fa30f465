"""How the cells of a text file are written: what a reader found out, and a decoder goes by."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pyarrow as pa

WRITTEN = "streamssl:written"


class Written(NamedTuple):
    """How the cells of one column are written.

    Attributes:
        decimal: What stands before the decimals of a number.
        thousands: What stands between groups of three digits; "" for nothing.
        unit: What stands behind every number, such as `bar`.
        missing: Words that mean that there is no value, beside the usual ones.
        date_format: Of times, as `strptime` has it; "" for ISO 8601 and seconds.
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    missing: tuple[str, ...] = ()
    date_format: str = ""

    def metadata(self) -> dict[str, str]:
        """What a field's metadata says of it: nothing where nothing is out of the ordinary."""
        return {} if self == Written() else {WRITTEN: msgspec.json.encode(list(self)).decode()}


def written_of(field: pa.Field) -> Written:
    """How a field's cells are written, by its metadata."""
    told = (field.metadata or {}).get(WRITTEN.encode())
    return Written() if told is None else msgspec.json.decode(told, type=Written)
