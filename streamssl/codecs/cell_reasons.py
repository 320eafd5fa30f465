"""Why cells of CSV are no numbers, and the option that mends it, by how they are written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamssl.codecs.cells import numbers
from streamssl.data.channels import Choice, LeftOut
from streamssl.data.events import UNTYPED
from streamssl.data.written import Written, written_of

LEAVE_OUT = "or leave the column out with --ignore-columns"
# Of the cells: a column of words with so few numbers is one of words.
SOME = 0.2
MAX_WORDS = 3
MAX_SHOWN = 40
_AGAIN = frozenset({"constant", "text", "key", "numbers_as_text", "number_format"})
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d*([eE][+-]?\d+)?")
_POINTS_AND_COMMA = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+,\d*|[+-]?[1-9]\d{0,2}(\.\d{3}){2,}")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(([,'’_\s])\d{3}(\2\d{3})*)(\.\d*)?")  # noqa: RUF001
_DATE = re.compile(r"\d[./-]\d+[./-]\d")
_UNDERSCORES = re.compile(r"[+-]?\d+(_\d+)+([.,]\d*)?")
_UNIT = re.compile(r"[+-]?[\d.,]*\d[\d.,]*\s*([^\W\d_]\S{0,11}|[%°‰µ]\S{0,11})")
_ODD: Mapping[str, re.Pattern[str]] = {
    "hexadecimal: write it in decimals": re.compile(r"[+-]?0[xX][0-9a-fA-F]+"),
    "a currency sign: write the number alone": re.compile(
        r"[+-]?[$€£¥]\s*[\d.,]+|[\d.,]+\s*[$€£¥]"
    ),
    "a limit, not a value: write the number alone": re.compile(r"[<>≤≥~≈±]=?\s*[+-]?[\d.,]+.*"),
    "in parentheses: write a negative number with a minus": re.compile(r"\(\s*[\d.,]+\s*\)"),
}
_TWO_STATES = frozenset(
    frozenset(pair.split())
    for pair in (
        *("yes no", "y n", "on off", "true false", "t f", "open closed", "open close", "up down"),
        *("ok nok", "ok error", "ok fail", "ok alarm", "pass fail", "run stop", "running stopped"),
        *("start stop", "high low", "enabled disabled", "active inactive", "ja nein", "j n"),
        *("ein aus", "an aus", "auf zu", "oui non", "good bad", "manual auto", "idle busy"),
    )
)


@lru_cache(maxsize=256)
def cell_remedy(cell: str, written: Written) -> str:
    """What mends a cell that is no number, by its text.

    Args:
        cell: As it was written.
        written: How the cells of its column were read.

    Example:
        >>> cell_remedy("0,510", Written())
        'commas before decimals: --decimal , reads them'
    """
    cell = cell.strip()
    shown = _shown(cell)
    if remedy := _number_remedy(cell, written):
        return remedy
    for what, shape in _ODD.items():
        if shape.fullmatch(cell):
            return f"{shown} is {what}, {LEAVE_OUT}"
    if match := _UNIT.fullmatch(cell):
        behind = f"as {written.unit!r} is" if written.unit else "where it is behind every number"
        return (
            f"the unit {match[1]!r}: one unit a column is read, {behind}; write one or none, "
            f"{LEAVE_OUT}"
        )
    return f"{_na_values([cell])} where {shown} means that there is no value, {LEAVE_OUT}"


def _number_remedy(cell: str, written: Written) -> str:
    """The options that read a number in another notation, "" where it is none."""
    if _POINTS_AND_COMMA.fullmatch(cell):
        return "points between thousands: --decimal , --thousands . reads them"
    if (match := _GROUPED.fullmatch(cell)) and written.thousands != match[2]:
        group = match[2] if match[2] in ",_" else f'"{match[2]}"'
        told = f"{match[2]!r} between thousands: --thousands {group} reads them"
        is_open = match[2] == "," and match[1].count(",") == 1 and match[4] is None
        return f"{told}, or --decimal , where it is a decimal comma" if is_open else told
    if _UNDERSCORES.fullmatch(cell):
        return "'_' between digits: --thousands _ reads groups of three"
    if _DECIMAL_COMMA.fullmatch(cell) and written.decimal != ",":
        return "commas before decimals: --decimal , reads them"
    return ""


def with_cell_reasons(choice: Choice, rows: Mapping[str, pa.RecordBatch]) -> Choice:
    """The choice with hints that go by the cells of columns of CSV that are left out.

    Args:
        choice: The columns, and what is none.
        rows: Of each column the first rows in which it has a cell.
    """
    left_out = tuple(
        _explained(left, rows[left.name]) if left.reason in _AGAIN and left.name in rows else left
        for left in choice.left_out
    )
    return replace(choice, left_out=left_out)


def _explained(left: LeftOut, rows: pa.RecordBatch) -> LeftOut:
    column, field = rows.column(left.name), rows.schema.field(left.name)
    if (field.metadata or {}).get(UNTYPED.encode()) != b"csv":
        return left
    values_B, no_number_B = numbers(column, field)
    words = pc.utf8_trim_whitespace(column.filter(pa.array(no_number_B)))
    counts = Counter(dict(zip(*_counted(words), strict=True)))
    num_numbers = int(np.count_nonzero(~np.isnan(values_B)))
    hint = _hint(counts, num_numbers, written_of(field))
    is_key = left.reason == "key" and len(counts) > MAX_WORDS and num_numbers
    return left if hint is None or is_key else LeftOut(left.name, "text", hint)


def _counted(words: pa.StringArray) -> tuple[list[str], list[int]]:
    counts = pc.value_counts(words)
    return counts.field("values").to_pylist(), counts.field("counts").to_pylist()


def _hint(counts: Counter[str], num_numbers: int, written: Written) -> str | None:
    """Why a column of these cells holds no numbers; None where there is no more to say."""
    total = counts.total()
    if not total:
        return None
    ((most, _),) = counts.most_common(1)
    if num_numbers >= SOME * (total + num_numbers):
        return _mixed(counts, num_numbers / (total + num_numbers), written)
    if frozenset(word.lower() for word in counts) in _TWO_STATES:
        states = " and ".join(map(_shown, sorted(counts)))
        return f"two states, {states}: write 1 and 0 to have it as a channel"
    units = Counter(match[1] for word in counts if (match := _UNIT.fullmatch(word)))
    num_units = sum(counts[word] for word in counts if _UNIT.fullmatch(word))
    if len(units) > 1 and num_units > total / 2 and _are_units(counts):
        several = ", ".join(map(repr, sorted(units)[:MAX_WORDS]))
        return f"numbers with several units ({several}), such as {_shown(most)}: write one unit"
    is_late = len(units) == 1 and num_units > total / 2 and _are_units(counts)
    if _number_remedy(most, written) or _is_odd(most) or is_late:
        return f"text such as {_shown(most)}, not numbers: {cell_remedy(most, written)}"
    is_known = len(counts) <= total / 2 or _DATE.search(most)
    return None if is_known else f"text such as {_shown(most)}, not numbers"


def _are_units(counts: Counter[str]) -> bool:
    """Whether words are numbers with units rather than names such as 7A: blanks, or decimals."""
    return any(re.search(r"\d\s|[.,]\d", word) for word in counts)


def _mixed(counts: Counter[str], share: float, written: Written) -> str:
    """Of a column of which some cells are numbers."""
    words = [word for word, _ in counts.most_common(MAX_WORDS)]
    told = ", ".join(map(_shown, words))
    of_cells = "half its cells" if round(share, 1) == 0.5 else f"{100 * share:.0f} % of its cells"
    begin = f"{of_cells} are numbers, {told} {'is' if len(words) == 1 else 'are'} not"
    if remedy := _number_remedy(words[0], written):
        return f"{begin}: {remedy}"
    if len(counts) > MAX_WORDS or _is_odd(words[0]) or _UNIT.fullmatch(words[0]):
        return f"{begin}: {cell_remedy(words[0], written)}"
    return f"{begin}: {_na_values(words)}"


def _is_odd(cell: str) -> bool:
    return any(shape.fullmatch(cell) for shape in _ODD.values())


def _na_values(words: list[str]) -> str:
    listed = ",".join(words)
    is_plain = re.fullmatch(r"[\w.,/#+]+", listed)
    return f"--na-values {listed}" if is_plain else f'--na-values="{listed}"'


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= MAX_SHOWN else f"{cell[:MAX_SHOWN]}...")
