"""What was found out about a CSV file, in words, each with the option that says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamssl.data.listing import listed
from streamssl.data.written import Written
from streamssl.transport.files.csv_options import CsvOptions

MAX_TOLD = 8
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


def notes_on_cells(
    names: Sequence[str], written: Sequence[Written], said: Written
) -> Iterator[str]:
    """How numbers and dates are written, where it is not as it was said."""
    each = list(zip(names, written, strict=True))
    commas = [name for name, w in each if w.decimal != said.decimal]
    if commas:
        yield f"commas before decimals in {listed(commas, MAX_TOLD)} (--decimal)"
    for group in sorted({w.thousands for w in written} - {said.thousands, ""}):
        found = [name for name, w in each if w.thousands == group]
        yield f"{group!r} between thousands in {listed(found, MAX_TOLD)} (--thousands)"
    for unit in sorted({w.unit for w in written} - {""}):
        found = [name for name, w in each if w.unit == unit]
        yield f"the unit {unit!r} behind the numbers of {listed(found, MAX_TOLD)}"
    for date in sorted({w.date_format for w in written} - {"", said.date_format}):
        found = [name for name, w in each if w.date_format == date]
        yield f"dates such as {date!r} in {listed(found, MAX_TOLD)} (--date-format)"


def notes_on_lines(
    separator: str,
    first: Sequence[str],
    names: Sequence[str],
    options: CsvOptions,
    *,
    has_header: bool,
) -> Iterator[str]:
    """What stands between cells, whether the first line has names, and which were changed."""
    if options.delimiter is None and separator != ",":
        yield f"{_NAMES[separator]} between cells (--delimiter)"
    if not has_header:
        if options.header is None:
            yield f"no header: the first line is data, columns are {names[0]}, ... (--header)"
        return
    if options.header is None and all(cell.strip()[:1].isdigit() for cell in first):
        yield "a header of numbers: the first line is no data (--no-header)"
    renamed = [
        f"column {place + 1} {written.strip()!r} named {name!r}"
        for place, (written, name) in enumerate(zip(first, names, strict=True))
        if written.strip() and written.strip() != name
    ]
    if renamed:
        yield f"names that stand there twice or are taken: {listed(renamed, MAX_TOLD)}"
