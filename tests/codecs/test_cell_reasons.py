"""Why a column of CSV is no channel, and what mends a bad cell: in words that are true."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamssl.codecs.cell_reasons import cell_remedy
from streamssl.codecs.table import TableDecoder
from streamssl.codecs.table_fields import table_choice
from streamssl.codecs.table_hints import option_hints
from streamssl.config.sections import InputConfig
from streamssl.data.channels import Choice
from streamssl.data.events import Slice
from streamssl.data.written import Written
from streamssl.transport.files.csv_reader import CsvReader


def chosen(folder: Path, cells: list[str], **settings: object) -> tuple[Choice, tuple[str, ...]]:
    """What is chosen of a table of the column `p` beside one of numbers, and the hints."""
    path = folder / "input.csv"
    path.write_text("p|q\n" + "".join(f"{cell}|{i % 7}.5\n" for i, cell in enumerate(cells)))
    config = InputConfig(**settings)
    choice = table_choice(CsvReader(path).batches(), input=config)
    (batch,) = CsvReader(path).batches()
    return choice, option_hints(batch, choice, input=config)


@pytest.mark.parametrize(
    ("cells", "hint"),
    [
        (["off", "100.1"] * 60, "half its cells are numbers, 'off' is not: --na-values off"),
        (["---", "99.8"] * 60, "half its cells are numbers, '---' is not: --na-values=\"---\""),
        (
            ["starting"] * 40 + ["100.1", "99.9"] * 180,
            "90 % of its cells are numbers, 'starting' is not: --na-values starting",
        ),
        (["yes", "no", "no"] * 40, "two states, 'no' and 'yes'"),
        (["ON", "OFF", "OFF"] * 40, "two states, 'OFF' and 'ON'"),
        (["5.1 bar", "6 psi"] * 40, "numbers with several units ('bar', 'psi')"),
        ([f"$5.{i}" for i in range(80)], "'$5.0' is a currency sign"),
        (["<5.1", "<6.1"] * 40, "'<5.1' is a limit, not a value"),
        ([f"({i}.5)" for i in range(80)], "'(0.5)' is in parentheses"),
        ([f"1_20{i % 9}.5" for i in range(80)], "--thousands _ reads them"),
        (["0x3E8", "0x3E9"] * 40, "'0x3E8' is hexadecimal"),
        ([f"word {i}" for i in range(80)], "text such as 'word 0', not numbers"),
    ],
)
def test_a_column_that_is_left_out_says_why_by_its_cells(
    tmp_path: Path, cells: list[str], hint: str
) -> None:
    """With a cell, the remedy where there is one, and never as a key of the events."""
    choice, hints = chosen(tmp_path, cells)
    ((name, _, told),) = choice.left_out
    assert name == "p"
    assert hint in told
    assert not any("--key-column" in text for text in hints)


def test_a_key_stays_one(tmp_path: Path) -> None:
    """Names of machines that come back are hinted at as before."""
    choice, hints = chosen(tmp_path, ["pump 1", "pump 2", "pump 3"] * 30)
    assert choice.left_out[0].reason == "key"
    assert hints == ("column 'p' looks like a key: --key-column p",)


@pytest.mark.parametrize(
    ("cell", "option"),
    [
        ("0,510", "--decimal ,"),
        ("1,003", "--thousands , reads them, or --decimal ,"),
        ("1,000.5", "--thousands ,"),
        ("1.234,5", "--decimal , --thousands ."),
        ("1'000.5", '--thousands "\'"'),
        ("void", "--na-values void"),
        ("5.1 bar", "the unit 'bar'"),
        ("0xFF", "write it in decimals"),
    ],
)
def test_a_bad_cell_has_the_remedy_that_fits_its_text(cell: str, option: str) -> None:
    """It names the option of CSV, and not what a producer of messages would do."""
    assert option in cell_remedy(cell, Written())


def test_a_dead_letter_of_a_table_carries_its_remedy(tmp_path: Path) -> None:
    """For a cell and for a line; the log shows it."""
    path = tmp_path / "input.csv"
    path.write_text("v,w\n" + "1,2.5\n" * 50 + "off,2\n1,2,3\n")
    config = InputConfig()
    choice = table_choice(CsvReader(path).batches(), input=config)
    assert choice.schema is not None
    (batch,) = CsvReader(path).batches()
    decoder = TableDecoder(topic="t", schema=choice.schema, input=config)
    cell, line = decoder.decode(Slice(0, 0, 0, len(batch), batch), None).dead_letters
    assert (cell.reason, line.reason) == ("wrong_type", "wrong_count")
    assert "--na-values off" in cell.remedy
    assert "as many cells a line" in line.remedy


def test_ignored_columns_that_mean_none_are_told_with_near_names(tmp_path: Path) -> None:
    """A name that differs by case, one that is none, and one that is right."""
    _, hints = chosen(tmp_path, ["1.5"] * 40, ignore_fields=["P", "zzz", "q*"])
    assert hints == (
        "--ignore-columns 'P' is no column: near it 'p'",
        "--ignore-columns 'zzz' is no column: there are 'p', 'q'",
    )


def test_a_column_that_begins_after_the_first_block_has_its_reason(tmp_path: Path) -> None:
    """Its unit came too late to be read: that is said, with a cell."""
    path = tmp_path / "input.csv"
    num = 160_000
    path.write_text(
        "q,late\n"
        + "".join(f"{i % 7}.5,{'5.103 bar' if i > 150_000 else ''}\n" for i in range(num))
    )
    (left,) = table_choice(CsvReader(path).batches(), input=InputConfig()).left_out
    assert left.hint.startswith("text such as '5.103 bar', not numbers: the unit 'bar'")
