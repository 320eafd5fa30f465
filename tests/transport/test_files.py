"""The file transport: what appears, when, and that it holds one row per input row."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from streamssl.data.events import OutputRecord
from streamssl.transport.files import FileTransport, InputFileError, OutputFileError
from streamssl.transport.files.tables import scores_schema
from streamssl.transport.journal import decode_record
from tests.transport.fake_results import results_at, transaction_of
from tests.transport.worlds import joined, take

HEADER = ",".join(scores_schema(["gaussian"]).names)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "input.csv"
    path.write_text("a,b\n" + "1,2\n" * 5)
    return path


def replay(source: Path, output: Path, *, embeddings: Path | None = None) -> None:
    transport = FileTransport(source, output, embeddings=embeddings, scorers=["gaussian"])
    with joined(transport):
        take(transport, 5)
        transport.commit(transaction_of(0, 3, results_at([0, 2])))
        transport.commit(transaction_of(3, 5, results_at([3]), results_at([4]), seq=2))


def test_csv_holds_one_row_per_input_row(source: Path, tmp_path: Path) -> None:
    """Columns are exactly the documented ones; a row without a result has nulls."""
    replay(source, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == HEADER
    rows = list(csv.DictReader(lines))
    assert [row["row"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert set(rows[1].values()) == {"1", ""}
    assert [row["raw"] for row in rows] == ["0", "", "2", "3", "4"]
    assert rows[4] | {"score": "", "p_value": ""} == {
        "row": "4",
        "key": "key-0",
        "event_time": "4.5",
        "score": "",
        "p_value": "",
        "raw": "4",
        "threshold": "0.9",
        "anomaly": "true",
        "severity": "low",
        "incident_id": "incident-4",
        "incident_state": "start",
        "incident_field": "",
        "warming": "own",
        "top_field": "a",
        "raw_gaussian": "8",
        "attribution": '{"a":0.5,"b":0.5}',
        "expected": '{"a":0.0,"b":0.0}',
        "expected_low": '{"a":-1.0,"b":-1.0}',
        "expected_high": '{"a":1.0,"b":1.0}',
        "actual": '{"a":1.0,"b":1.0}',
        "neighbours": "[]",
    }


def test_parquet_holds_the_same_with_types(source: Path, tmp_path: Path) -> None:
    """The suffix chooses the format, not the content."""
    replay(source, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert ",".join(table.column_names) == HEADER
    assert table["row"].to_pylist() == [0, 1, 2, 3, 4]
    assert table["anomaly"].to_pylist() == [False, None, True, True, True]
    assert table["top_field"].to_pylist() == ["a", None, "a", "b", "a"]


def test_embeddings_are_lists_of_float32(source: Path, tmp_path: Path) -> None:
    """One vector per input row, null where the row could not be read, with its space."""
    replay(source, tmp_path / "out.csv", embeddings=tmp_path / "vectors.parquet")
    table = pq.read_table(tmp_path / "vectors.parquet")
    assert table.column_names == ["row", "key", "event_time", "vector", "space"]
    assert str(table.schema.field("vector").type) == "list<element: float>"
    assert table["vector"].to_pylist() == [[v] * 3 if v != 1 else None for v in range(5)]
    assert table["space"].to_pylist() == ["space-0", None, "space-0", "space-0", "space-0"]


def test_the_journal_lies_beside_the_output(source: Path, tmp_path: Path) -> None:
    """One record a transaction, as on Kafka."""
    replay(source, tmp_path / "out.csv")
    lines = (tmp_path / "out.journal.jsonl").read_bytes().splitlines()
    assert [decode_record(line).ranges[0][:2] for line in lines] == [(0, 3), (3, 5)]


def test_what_is_told_of_incidents_lies_beside_the_output(source: Path, tmp_path: Path) -> None:
    """The value of each record is a line; other records are none of it."""
    transport = FileTransport(source, tmp_path / "out.csv", scorers=["gaussian"])
    with joined(transport):
        take(transport, 5)
        whole = transaction_of(0, 5, results_at([0, 2]))
        records = [
            OutputRecord("incidents", b"k", b'{"kind":"%s"}' % k) for k in (b"start", b"end")
        ]
        part = replace(whole.parts[0], records=[*records, OutputRecord("scores", None, b"{}")])
        transport.commit(replace(whole, parts={0: part}))
    lines = (tmp_path / "out.incidents.jsonl").read_bytes().splitlines()
    assert lines == [b'{"kind":"start"}', b'{"kind":"end"}']


def test_an_unfinished_replay_leaves_nothing(source: Path, tmp_path: Path) -> None:
    """Outputs appear only when the whole input is committed; older ones stay as they are."""
    (tmp_path / "out.csv").write_text("of an earlier run")
    transport = FileTransport(source, tmp_path / "out.csv", scorers=["gaussian"])
    with joined(transport):
        take(transport, 5)
        transport.commit(transaction_of(0, 3, results_at([0, 2])))
        assert (tmp_path / "out.csv").read_text() == "of an earlier run"
    assert (tmp_path / "out.csv").read_text() == "of an earlier run"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["input.csv", "out.csv"]


def test_a_replay_begins_anew(source: Path, tmp_path: Path) -> None:
    """An earlier replay's journal beside the output is not this one's."""
    replay(source, tmp_path / "out.csv")
    transport = FileTransport(source, tmp_path / "out.csv", scorers=["gaussian"])
    with joined(transport):
        assert transport.journal(0) == ([], 0)
        assert transport.committed(0) is None
        assert take(transport, 1)[0].start == 0


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_no_rows_give_an_output_without_rows(tmp_path: Path, name: str) -> None:
    """A header, or nothing at all, is a stream of no events."""
    for content in ("a,b\n", ""):
        (tmp_path / "input.csv").write_text(content)
        transport = FileTransport(
            tmp_path / "input.csv",
            tmp_path / name,
            embeddings=tmp_path / "v.parquet",
            scorers=["gaussian"],
        )
        with joined(transport):
            assert transport.exhausted()
            assert transport.poll(10, 0.0) == []
        written = tmp_path / name
        if name.endswith("csv"):
            assert written.read_text() == HEADER + "\n"
        else:
            assert pq.read_table(written).num_rows == 0
        assert (tmp_path / "out.dlq.jsonl").read_text() == ""
        written.unlink()


@pytest.mark.parametrize(
    ("source", "output", "embeddings", "what"),
    [
        ("none.csv", "out.csv", None, "no such file"),
        ("input.xls", "out.csv", None, r"\.parquet"),
        ("input.csv", "out.txt", None, r"\.parquet"),
        ("input.csv", "none/out.csv", None, "no such folder"),
        ("input.csv", "input.csv", None, "same file"),
        ("input.csv", "folder.csv", None, "is a folder"),
        ("folder.csv", "out.csv", None, "not a regular file"),
        ("old.dlq.jsonl", "old.csv", None, "same file"),
        ("old.journal.jsonl", "old.parquet", None, "same file"),
        ("old.incidents.jsonl", "old.csv", None, "same file"),
        ("input.csv", "out.csv", "vectors.csv", "no lists"),
        ("input.csv", "out.parquet", "out.parquet", "two files"),
    ],
)
def test_names_that_cannot_be_used_are_refused(
    tmp_path: Path, source: str, output: str, embeddings: str | None, what: str
) -> None:
    """The error names the file and the remedy, with the exit code for wrong usage."""
    sidecars = (f"old.{word}.jsonl" for word in ("dlq", "incidents", "journal"))
    for name in ("input.csv", "input.xls", *sidecars):
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputFileError, match=what) as refused:
        FileTransport(
            tmp_path / source,
            tmp_path / output,
            embeddings=tmp_path / embeddings if embeddings else None,
        )
    assert refused.value.exit_code == 2


def test_a_name_without_folder_is_written_here(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative names are taken from the working folder."""
    monkeypatch.chdir(tmp_path)
    replay(Path(source.name), Path("out.csv"))
    assert (tmp_path / "out.csv").exists()


def test_progress_is_a_share_of_the_file(tmp_path: Path) -> None:
    """From 0 to 1, whatever the format."""
    (tmp_path / "input.csv").write_text("a\n" + "1.234567\n" * 400_000)
    transport = FileTransport(tmp_path / "input.csv", tmp_path / "out.csv")
    assert transport.fraction == 0.0
    with joined(transport):
        shares = []
        while not transport.exhausted():
            transport.poll(100_000, 0.0)
            shares.append(transport.fraction)
    assert shares == sorted(shares)
    assert 0.0 < shares[0] < 0.9
    assert shares[-1] == 1.0


@pytest.mark.parametrize("failing", ["out.csv", "vectors.parquet", "out.dlq.jsonl"])
def test_an_output_that_cannot_be_begun_leaves_none(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """The error names the file; those begun before it are removed."""
    begin = Path.open

    def refuse(path: Path, *arguments: Any) -> Any:
        if path.name.startswith(f".{failing}."):
            raise PermissionError(13, "Permission denied")
        return begin(path, *arguments)

    monkeypatch.setattr(Path, "open", refuse)
    transport = FileTransport(source, tmp_path / "out.csv", embeddings=tmp_path / "vectors.parquet")
    with pytest.raises(OutputFileError, match=f"{failing} cannot be written: Permission denied"):
        transport.open()
    transport.close()
    assert [path.name for path in tmp_path.iterdir()] == ["input.csv"]


def test_an_output_that_cannot_be_named_is_an_error_and_leaves_no_draft(
    source: Path, tmp_path: Path
) -> None:
    """Somebody made a folder of that name meanwhile."""
    transport = FileTransport(source, tmp_path / "out.csv", scorers=["gaussian"])
    (tmp_path / "out.csv").mkdir()
    transport.open()
    take(transport, 5)
    transport.commit(transaction_of(0, 5, results_at(list(range(5)))))
    with pytest.raises(OutputFileError, match="cannot be written") as failed:
        transport.close()
    assert failed.value.exit_code == 1
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]
