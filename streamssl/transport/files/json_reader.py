"""JSON Lines: one object a line, as messages, so that they are read as the daemon reads them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from streamssl.data.events import Message
from streamssl.transport.files.blocks import TextSource
from streamssl.transport.files.rows import InputFileError

MAX_ROWS = 4_096
PARTITION = 0


class JsonLinesReader:
    """One pass over a JSON Lines file; a message without key a line, its time the row number.

    Args:
        path: The file, plain or `.gz`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fraction = 0.0
        self.notes: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()

    def batches(self) -> Iterator[list[Message]]:
        """The lines in order; blank ones are no rows.

        Raises:
            InputFileError: The file is one JSON array.
        """
        row = 0
        with TextSource(self._path) as source:
            for block in source.blocks(quoted=False):
                lines = (line for line in block.split(b"\n") if line.strip())
                while part := list(islice(lines, MAX_ROWS)):
                    if row == 0:
                        self._check_lines(part[0])
                    self.fraction = source.fraction
                    yield [
                        Message(PARTITION, at, None, line.rstrip(b"\r"), at * 1_000)
                        for at, line in enumerate(part, start=row)
                    ]
                    row += len(part)

    def _check_lines(self, first: bytes) -> None:
        if first.lstrip().startswith(b"["):
            raise InputFileError(
                f"{self._path} holds a JSON array, not one object a line; "
                "convert it, for example with: jq -c '.[]'"
            )
