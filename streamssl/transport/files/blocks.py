"""Text files in blocks of whole lines, so that a file of any length needs little memory."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from streamssl.transport.files.rows import InputFileError

BLOCK_BYTES = 1 << 20
LONGEST_QUOTED_BYTES = 4 << 20
SHOWN_BYTES = 4_096
# Of the bytes at one place of a unit, in a text that is mostly ASCII.
MOST_ZERO = 0.5
BOM = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"
_NO_TEXT = {
    b"PK\x03\x04": "a zip archive (or an Excel workbook): unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save the sheet as CSV",
    b"PAR1": "Parquet: name it .parquet",
    b"BZh": "packed by bzip2: unpack it, or pack it by gzip",
    b"\xfd7zXZ\x00": "packed by xz: unpack it, or pack it by gzip",
    b"\x28\xb5\x2f\xfd": "packed by zstd: unpack it, or pack it by gzip",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"SQLite format 3\x00": "an SQLite database: export the table as CSV",
}


class TextSource:
    """A text file, plain or gzip by its first bytes, that knows how much of it was read.

    Args:
        path: The file; gzip is unpacked on the fly, whatever its name.
        encoding: Of the text; None: UTF-8, by its mark or its zero bytes UTF-16 or UTF-32, or
            cp1252 where its first lines are no UTF-8 at all.

    Raises:
        InputFileError: The file is no text, by its first bytes.

    Attributes:
        encoding: As it was said or found; None until the first block is read.
    """

    def __init__(self, path: Path, encoding: str | None = "utf-8") -> None:
        self._path = path
        self.encoding = encoding
        self._decoder: codecs.IncrementalDecoder | None = None
        self._raw = path.open("rb")
        self._num_bytes = max(path.stat().st_size, 1)
        magic = self._raw.read(16)
        self._raw.seek(0)
        self._check_text(magic)
        packed = magic.startswith(GZIP)
        self._stream = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if packed else self._raw

    def __enter__(self) -> TextSource:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    @property
    def fraction(self) -> float:
        """Share of the file that was read, 0 to 1."""
        return min(self._raw.tell() / self._num_bytes, 1.0)

    def blocks(self, *, quoted: bool, num_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
        """Blocks of whole lines in UTF-8, without the byte order mark.

        Args:
            quoted: True: a line break between double quotes ends no line (CSV).
            num_bytes: Size aimed at; a longer line is given whole.
        """
        rest = self._read(num_bytes).removeprefix(BOM)
        while True:
            cut = end_of_lines(rest, quoted=quoted)
            if cut:
                yield rest[:cut]
            more = self._read(num_bytes)
            rest = rest[cut:] + more
            if not more:
                break
        if rest:
            yield rest

    def _check_text(self, magic: bytes) -> None:
        for first, what in _NO_TEXT.items():
            if magic.startswith(first):
                self._raw.close()
                raise InputFileError(f"{self._path} is {what}")

    def _read(self, num_bytes: int) -> bytes:
        try:
            block = self._stream.read(num_bytes)
        except (EOFError, OSError, zlib.error) as error:
            raise InputFileError(f"{self._path} cannot be read to its end: {error}") from error
        return self._in_utf8(block, is_last=len(block) < num_bytes)

    def _in_utf8(self, block: bytes, *, is_last: bool) -> bytes:
        """The bytes in UTF-8; what cannot be decoded stays as it is, for the row to be marked."""
        if self.encoding is None:
            self.encoding = find_encoding(block)
        if codecs.lookup(self.encoding).name == "utf-8":
            return block
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder(self.encoding)("surrogateescape")
        try:
            text = self._decoder.decode(block, is_last)
        except UnicodeError as error:
            raise InputFileError(
                f"{self._path} is not in {self.encoding}: {error}; name another --encoding"
            ) from error
        return text.encode("utf-8", "surrogateescape")


def find_encoding(block: bytes) -> str:
    """The encoding of a text by its first bytes.

    UTF-16 and UTF-32 are known by their mark, or by where the zero bytes of their ASCII stand.
    One that has no line with UTF-8 beyond ASCII, but others, is cp1252, which is Latin-1 as
    Windows has it.

    Example:
        >>> find_encoding("Druck;Größe".encode("latin-1")), find_encoding("Größe".encode())
        ('cp1252', 'utf-8')
    """
    if block.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if wide := wide_encoding(block):
        return wide
    lines = [line for line in block.splitlines() if not line.isascii()]
    return "cp1252" if lines and not any(map(_is_utf8, lines)) else "utf-8"


def wide_encoding(block: bytes) -> str | None:
    """The UTF-16 or UTF-32 of a text without a mark by its zero bytes; None where it is neither.

    Example:
        >>> wide_encoding("p;q".encode("utf-16-le")), wide_encoding(b"p;q")
        ('utf-16-le', None)
    """
    first = np.frombuffer(block[: SHOWN_BYTES // 4 * 4], np.uint8)
    for size, name in ((4, "utf-32"), (2, "utf-16")):
        whole = first[: len(first) // size * size].reshape(-1, size)
        zero = (whole == 0).mean(0) > MOST_ZERO if len(whole) else np.zeros(size, np.bool_)
        if zero[1:].all() and not zero[0]:
            return f"{name}-le"
        if zero[:-1].all() and not zero[-1]:
            return f"{name}-be"
    return None


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def end_of_lines(block: bytes, *, quoted: bool) -> int:
    """Where the last whole line of a block ends, 0 if none does.

    A quotation that is never closed must not swallow the file: past a bound, quotes do not
    count.
    """
    last = block.rfind(b"\n") + 1
    if not quoted or b'"' not in block:
        return last
    bytes_ = np.frombuffer(block, np.uint8)
    num_quotes = np.cumsum(bytes_ == ord('"'), dtype=np.int32)
    ends = np.flatnonzero((bytes_ == ord("\n")) & (num_quotes % 2 == 0))
    if len(ends):
        return int(ends[-1]) + 1
    return last if len(block) > LONGEST_QUOTED_BYTES else 0
