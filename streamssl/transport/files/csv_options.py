"""What a person may say about a CSV file; what is not said is found out, and told."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, fields

from streamssl.data.written import Written
from streamssl.transport.files.rows import InputFileError


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How a CSV file is written; None: found out.

    Attributes:
        encoding: Of the text, by a name that Python knows.
        delimiter: What stands between cells.
        decimal: What stands before decimals: `.` or `,`.
        thousands: What stands between groups of three digits.
        na_values: More words for a missing value.
        header: Whether the first line has the names of the columns.
        date_format: Of the event times, as `strptime` has it.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    na_values: tuple[str, ...] | None = None
    header: bool | None = None
    date_format: str | None = None

    def written(self) -> Written:
        """How cells are written as far as it is said; points between thousands say commas."""
        return Written(
            self.decimal or ("," if self.thousands == "." else "."),
            self.thousands or "",
            missing=self.na_values or (),
            date_format=self.date_format or "",
        )

    def fixed(self) -> frozenset[str]:
        """What of it is said, and so is not to be found out."""
        decimal = {"decimal"} if self.decimal or self.thousands in (".", ",") else set()
        return frozenset(decimal | ({"thousands"} if self.thousands else set()))

    def given(self) -> Iterator[str]:
        """The options of the command that were used."""
        for field in fields(self):
            if (value := getattr(self, field.name)) is not None:
                name = "no-header" if value is False else field.name.replace("_", "-")
                yield f"--{name}"

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            InputFileError: An unknown encoding, or characters that are none.
        """
        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError as error:
            raise InputFileError(
                f"--encoding {self.encoding}: unknown; write one such as utf-8, cp1252 or utf-16"
            ) from error
        for name in ("delimiter", "decimal", "thousands"):
            value = getattr(self, name)
            if value is not None and (len(value) != 1 or value.isalnum() or value in '"\r\n'):
                raise InputFileError(f"--{name} {value!r}: give one character, such as ';' or ','")
        if self.decimal is not None and self.decimal not in ".,":
            raise InputFileError(f"--decimal {self.decimal!r}: give '.' or ','")
        given = [c for c in (self.delimiter, self.decimal, self.thousands) if c is not None]
        if self.decimal is not None and self.decimal == self.thousands:
            raise InputFileError(f"{given[-1]!r} cannot be both --decimal and --thousands")
