"""Text files in blocks of whole lines, so that a file of any length needs little memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from streamssl.transport.files.rows import InputFileError

BLOCK_BYTES = 1 << 20
LONGEST_QUOTED_BYTES = 4 << 20
BOM = b"\xef\xbb\xbf"


class TextSource:
    """A text file, plain or gzip by its name, that knows how much of it was read.

    Args:
        path: The file; a name that ends in `.gz` is unpacked on the fly.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._raw = path.open("rb")
        self._num_bytes = max(path.stat().st_size, 1)
        packed = path.suffix.lower() == ".gz"
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
        """Blocks of whole lines, without the byte order mark.

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

    def _read(self, num_bytes: int) -> bytes:
        try:
            return self._stream.read(num_bytes)
        except (EOFError, OSError, zlib.error) as error:
            raise InputFileError(f"{self._path} cannot be read to its end: {error}") from error


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
