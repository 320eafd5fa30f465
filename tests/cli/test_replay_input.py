"""What `replay` makes of JSON Lines and Parquet that are not what was meant: never silence."""

from __future__ import annotations

import codecs
import json
import random
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamssl.codecs.table_fields import TableError
from streamssl.data.events import StreamsslError
from tests.cli.test_replay import run, scores, write


def noise(num: int, seed: int = 0) -> list[float]:
    """Measurements."""
    generator = random.Random(seed)
    return [round(generator.gauss(20, 3), 3) for _ in range(num)]


def json_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of JSON objects."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def fields(*names: str) -> tuple[str, str]:
    """The option that names the numbers."""
    return "--set", f"modality.fields={json.dumps(names)}"


def told(source: Path, *arguments: str) -> list[str]:
    """The lines of a summary."""
    result = run("--input", source, "--output", source.with_name("out.parquet"), *arguments)
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_a_misspelt_channel_is_told_with_the_names_near(tmp_path: Path) -> None:
    """JSON has no header that could miss it: the first events, and the whole file, say so."""
    values = zip(noise(100), noise(100, 1), strict=True)
    source = json_lines(tmp_path / "in.jsonl", [{"p": p, "pressure": q} for p, q in values])
    lines = told(source, *fields("p", "presure"))
    assert "absent presure: no row has a value of it; did you mean pressure?" in lines
    assert not any(line.startswith("absent") for line in told(source, *fields("p", "pressure")))


def test_a_channel_that_comes_late_is_not_absent_at_the_end(tmp_path: Path) -> None:
    """The first events lack it, but the file does not."""
    rows: list[dict[str, Any]] = [{"p": value} for value in noise(1_100)]
    rows += [{"p": value, "late": value / 2} for value in noise(100, 1)]
    lines = told(json_lines(tmp_path / "in.jsonl", rows), *fields("p", "late"))
    assert not any(line.startswith("absent") for line in lines)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_file_without_one_readable_row_is_an_error(tmp_path: Path, suffix: str) -> None:
    """In every format alike: nothing could be scored, which is no success."""
    source = tmp_path / f"in.{suffix}"
    if suffix == "csv":
        source.write_text("p,q\n" + "".join(f"inf,{value}\n" for value in noise(80)))
    elif suffix == "jsonl":
        json_lines(source, [{"p": 1e60, "q": value} for value in noise(80)])
    else:
        wide = pa.array([Decimal(10**40)] * 80, pa.decimal256(60, 0))
        write(source, pa.table({"p": wide, "q": noise(80)}))
    message = r"none of the first 80 rows can be read: not_finite: .*'p'.*input\.ignore_fields"
    with pytest.raises(TableError, match=message) as refused:
        run("--input", source, "--output", tmp_path / "out.csv")
    assert refused.value.exit_code == 2
    assert not (tmp_path / "out.csv").exists()


def nested_table(num_rows: int = 60) -> pa.Table:
    """Columns of every nested and rare type beside one plain number."""
    x, y = noise(num_rows), noise(num_rows, 1)
    inner = [{"x": a, "in": {"y": b, "site": "A"}} for a, b in zip(x, y, strict=True)]
    inner[7] = {"x": x[7], "in": None}
    rows = range(num_rows)
    return pa.table(
        {
            "st": inner,
            "li": [[a, b] for a, b in zip(x, y, strict=True)],
            "p": noise(num_rows, 2),
            "records": [[{"a": 1.0}]] * num_rows,
            "map": pa.array([[("a", 1.0)]] * num_rows, pa.map_(pa.string(), pa.float64())),
            "lasted": pa.array([timedelta(seconds=row) for row in rows]),
            "at": pa.array([time(8, row % 60) for row in rows]),
            "bytes": [b"%d" % row for row in rows],
        }
    )


def test_a_path_into_a_struct_of_parquet_is_a_channel(tmp_path: Path) -> None:
    """As in JSON and Arrow; unnamed it is left out, with that remedy."""
    source = write(tmp_path / "in.parquet", nested_table())
    lines = told(source)
    assert "channels 1: p" in lines
    for path in ("st.x", "st.in.y"):
        hint = "in an object: name the number by its path in modality.fields"
        assert f"left out {path}: {hint}" in lines
    lines = told(source, *fields("st.x", "p", "st.in.y"))
    assert "channels 3: st.x, p, st.in.y" in lines
    assert "dead letters 0" in lines


def test_paths_score_like_plain_columns(tmp_path: Path) -> None:
    """Where a value stands changes nothing, also where the object around it is null."""
    table = nested_table()
    rows = table.column("st").to_pylist()
    flat = {"x": [row["x"] for row in rows], "y": [(row["in"] or {}).get("y") for row in rows]}
    told(write(tmp_path / "flat.parquet", pa.table(flat)), *fields("x", "y"))
    plain = scores(tmp_path / "out.parquet")["raw"].to_pylist()
    source = write(tmp_path / "in.parquet", table.select(["st"]))
    lines = told(source, *fields("st.x", "st.in.y"))
    assert "left out st.in.site: the same text in all of the first events" in lines
    assert scores(tmp_path / "out.parquet")["raw"].to_pylist() == plain


def test_a_list_of_parquet_is_read_with_values_field(tmp_path: Path) -> None:
    """As the remedy says; a column that holds no lists of numbers is refused by its type."""
    source = write(tmp_path / "in.parquet", nested_table())
    hint = "set input.values_field to it where it holds all numbers of an event"
    assert f"left out li: a list: {hint}" in told(source)
    lines = told(source, "--set", "input.values_field=li")
    assert "channels 2: li[0], li[1]" in lines
    assert "dead letters 0" in lines
    for name in ("records", "p"):
        with pytest.raises(TableError, match=f"{name}.*not lists of numbers"):
            told(source, "--set", f"input.values_field={name}")


def test_a_list_of_another_length_is_a_dead_letter(tmp_path: Path) -> None:
    """As in JSON and Arrow: an event has as many numbers as most of the first have."""
    lists = [[a, a + 1] for a in noise(60)]
    lists[40] = [1.0]
    lines = told(
        write(tmp_path / "in.parquet", pa.table({"v": lists})), "--set", "input.values_field=v"
    )
    assert "dead letters 1" in lines
    letter = json.loads((tmp_path / "out.dlq.jsonl").read_text())
    assert (letter["row"], letter["reason"]) == (40, "wrong_count")


def test_columns_of_rare_types_are_told_as_what_they_are(tmp_path: Path) -> None:
    """A duration is no object, and no remedy is promised that is none."""
    lines = told(write(tmp_path / "in.parquet", nested_table()))
    left_out = {line.split()[2]: line for line in lines if line.startswith("left out")}
    for name, what in {
        "lasted:": "a duration",
        "at:": "a time of day",
        "bytes:": "bytes, neither",
        "records:": "a list, but not of numbers",
        "map:": "of a type that is neither",
    }.items():
        assert what in left_out[name]
        assert "path" not in left_out[name]
    with pytest.raises(TableError, match=r"'lasted' holds duration.*a duration: write it"):
        told(tmp_path / "in.parquet", *fields("p", "lasted"))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_decimal_commas_are_not_what_numbers_as_text_reads(tmp_path: Path, suffix: str) -> None:
    """The remedy of a number in text is named for such numbers only as it reads."""
    source = tmp_path / f"in.{suffix}"
    for comma, hint in ((",", "write 1234.5"), (".", "input.numbers_as_text reads them")):
        rows = [{"p": str(value).replace(".", comma), "q": value} for value in noise(60)]
        if suffix == "jsonl":
            json_lines(source, rows)
        else:
            write(source, pa.Table.from_pylist(rows))
        (line,) = (line for line in told(source) if line.startswith("left out p"))
        assert hint in line
        as_text = told(source, "--set", "input.numbers_as_text=true")
        assert ("channels 2: p, q" in as_text) == (comma == ".")
        if comma == ",":
            assert any("left out p" in text and hint in text for text in as_text)
        with pytest.raises(TableError, match=hint.removesuffix(" them")):
            told(source, *fields("p"))


def test_a_channel_that_begins_late_has_not_vanished(tmp_path: Path) -> None:
    """What never had a value cannot have lost it."""
    source = tmp_path / "in.csv"
    values = zip(noise(4_700), noise(4_700, 1), strict=True)
    lines = [f"{p},{q},{q if row >= 4_500 else ''}" for row, (p, q) in enumerate(values)]
    source.write_text("\n".join(["p,q,late", *lines]) + "\n")
    result = run("--input", source, "--output", tmp_path / "out.csv")
    assert "channels      3: p, q, late" in result.stdout
    assert "vanished" not in result.output
    assert "any more" not in result.output


def test_the_row_numbers_of_pandas_are_told_as_such(tmp_path: Path) -> None:
    """They were there from the first row on: no new field, and no channel."""
    frame = pd.DataFrame({"p": noise(80), "q": noise(80, 1)})
    source = tmp_path / "in.parquet"
    frame.set_index(pd.Index(range(1_000, 1_080))).to_parquet(source, index=True)
    for named in ((), fields("p", "q")):
        lines = told(source, *named)
        assert any("left out __index_level_0__: looks like a row number" in ln for ln in lines)
        assert not any("came after the first events" in line for line in lines)
    frame.set_index(pd.date_range("2026-01-01", periods=80, freq="s")).to_parquet(source)
    assert any("left out __index_level_0__: looks like a timestamp" in ln for ln in told(source))


def test_columns_of_one_name_are_told_apart_in_words(tmp_path: Path) -> None:
    """The second `p` of a Parquet file is `p.1`, and the summary says so."""
    columns = [pa.array(noise(40)), pa.array(noise(40, 1))]
    source = tmp_path / "in.parquet"
    pq.write_table(pa.Table.from_arrays(columns, names=["p", "p"]), source)
    lines = told(source)
    assert "channels 2: p, p.1" in lines
    assert any(line.startswith("read as column 'p'") and "'p.1'" in line for line in lines)


def test_a_field_of_the_whole_name_comes_before_a_path(tmp_path: Path) -> None:
    """`s.p` is the plain number of that name, whatever the object `s` holds."""
    rows = [{"s.p": value, "s": {"p": 2}} for value in noise(60)]
    source = json_lines(tmp_path / "in.jsonl", rows)
    assert "channels 1: s.p" in told(source)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b'{"data":[{"p":1}]}\n' * 40, "send each of its objects as an event"),
        (codecs.BOM_UTF16_LE + ('{"p":1}\n' * 40).encode("utf-16-le"), "UTF-16"),
        (('{"p":1}\n' * 40).encode("utf-16-be"), "UTF-16"),
        (
            b"p,q\n" + b"1.5,2.5\n" * 40,
            "looks like CSV: send JSON objects, or name a file of it .csv",
        ),
        (b"PAR1\x15\x04", "Parquet"),
        (b"\x1f\x8b\x08", "Compressed file ended"),
    ],
)
def test_what_is_no_json_is_told_by_its_likely_cause(
    tmp_path: Path, content: bytes, cause: str
) -> None:
    """Not by the parser's words alone."""
    source = tmp_path / "in.jsonl"
    source.write_bytes(content)
    with pytest.raises(StreamsslError, match=cause) as refused:
        told(source)
    assert "values_field" not in str(refused.value)
