"""What only a whole CSV file shows: blank lines that are no rows, words that stand in no cell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

_QUOTED = re.compile(rb'"[^"]*"')
_BLANK = re.compile(rb"^(?:\r\n|\n)", re.MULTILINE)
_NUMBER = re.compile(r"([+-]?)0*(\d+)(?:[.,](\d*?)0*)?")


class CsvWatch:
    """Counts over one pass over a file.

    Args:
        words: Those for missing values (`--na-values`).

    Attributes:
        num_blank: Lines without anything.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.num_blank = 0
        self._unseen = {word: _pattern(word) for word in words}

    def look(self, block: bytes, rows: pa.RecordBatch) -> None:
        """Take one block into account: its bytes, and its cells."""
        num_lines = block.count(b"\n") + (not block.endswith(b"\n"))
        if num_lines != len(rows):
            plain = _QUOTED.sub(b'""', block) if b'"' in block else block
            self.num_blank += len(_BLANK.findall(plain))
        for word in [word for word, pattern in self._unseen.items() if _stands_in(rows, pattern)]:
            del self._unseen[word]

    def notes(self) -> Iterator[str]:
        """How many blank lines there were."""
        if self.num_blank:
            lines = "1 blank line" if self.num_blank == 1 else f"{self.num_blank:,} blank lines"
            yield f"{lines} skipped: no rows"

    def warnings(self) -> Iterator[str]:
        """Which words stood in no cell."""
        if self._unseen:
            words = ", ".join(map(repr, self._unseen))
            yield f"--na-values: no cell is {words}"


def _pattern(word: str) -> str:
    """Cells that a word means: its own letters, or the same number written otherwise."""
    match = _NUMBER.fullmatch(word)
    if match is None:
        return rf"^\s*{re.escape(word)}\s*$"
    sign, whole, decimals = match[1].replace("+", ""), match[2], match[3] or ""
    sign = "[-\u2212]" if sign else r"\+?"
    digits = r"[.,'’  \x{A0}\x{202F}_]?".join(whole)  # noqa: RUF001 (they are written so)
    rest = rf"[.,]{decimals}0*" if decimals else "([.,]0*)?"
    return rf"^\s*{sign}0*{digits}{rest}([eE][+-]?0+)?\s*([^\d\s].*)?$"


def _stands_in(rows: pa.RecordBatch, pattern: str) -> bool:
    texts = (column for column in rows.columns if pa.types.is_string(column.type))
    return any(pc.any(pc.match_substring_regex(c, pattern)).as_py() for c in texts)
