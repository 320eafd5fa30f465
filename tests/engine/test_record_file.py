"""The file of a reproduction: whole, or not there."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from streamssl.data.events import OutputRecord
from streamssl.engine.record_file import RecordFileError, record_file
from streamssl.transport.files import InputFileError
from streamssl.transport.files import writers as files

SCORE = OutputRecord("scores", b"m1", '{"id": "ä"}'.encode(), (("ce_id", b"t/3/7/0"),))
VECTORS = OutputRecord("embeddings", None, b"\xff\x00", (("ce_id", b"\xfe"),))
SPACE = OutputRecord("spaces", b"0/space-1", b"{}", ())


def write(path: Path) -> None:
    """Two transactions: one of partition 3 with a record of none, one of partition 4."""
    with record_file(path, "app") as add:
        add(3, [SCORE])
        add(0, [SPACE])
        add(4, [VECTORS])
        assert not path.exists()


def test_parquet_holds_the_published_bytes(tmp_path: Path) -> None:
    """One row a record in the order of publication; keys, values and headers byte by byte."""
    write(tmp_path / "out.parquet")
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["topic"] for row in rows] == ["app.scores", "app.spaces", "app.embeddings"]
    assert [row["partition"] for row in rows] == [3, 0, 4]
    for row, record in zip(rows, (SCORE, SPACE, VECTORS), strict=True):
        assert (row["key"], row["value"]) == (record.key, record.value)
        assert [(h["name"], h["value"]) for h in row["headers"]] == list(record.headers)


def test_json_lines_hold_text_as_text_and_bytes_as_base64(tmp_path: Path) -> None:
    """A value that is UTF-8 stands in `value`, any other in `value_base64`."""
    write(tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert lines[0] == {
        "topic": "app.scores",
        "partition": 3,
        "key": "m1",
        "value": '{"id": "ä"}',
        "headers": [{"value": "t/3/7/0", "name": "ce_id"}],
    }
    assert (lines[2]["key"], base64.b64decode(lines[2]["value_base64"])) == (None, b"\xff\x00")
    assert base64.b64decode(lines[2]["headers"][0]["value_base64"]) == b"\xfe"


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl"])
@pytest.mark.parametrize("error", [ValueError("the input differs"), SystemExit(143)])
def test_an_end_before_the_end_leaves_nothing(
    tmp_path: Path, name: str, error: BaseException
) -> None:
    """An error or SIGTERM: no torn file, and an earlier one stays as it was."""
    path = tmp_path / name
    path.write_text("of an earlier run")
    with pytest.raises(type(error)), record_file(path, "app") as add:  # noqa: PT012 - a manager
        add(3, [SCORE])
        raise error
    assert path.read_text() == "of an earlier run"
    assert [found.name for found in tmp_path.iterdir()] == [name]


def test_row_groups_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed records are large: they do not wait in memory for a number of rows."""
    monkeypatch.setattr(files, "BYTES_PER_GROUP", 1_000)
    with record_file(tmp_path / "out.parquet", "app") as add:
        for _ in range(6):
            add(0, [OutputRecord("embeddings", None, bytes(400), ())])
    found = pq.ParquetFile(tmp_path / "out.parquet")
    assert [found.metadata.row_group(i).num_rows for i in range(found.num_row_groups)] == [3, 3]


def test_places_and_suffixes_are_checked_first(tmp_path: Path) -> None:
    """A suffix without a format, no such folder, or a folder of that name: nothing begins."""
    (tmp_path / "folder.jsonl").mkdir()
    for path, error in (
        (tmp_path / "out.csv", RecordFileError),
        (tmp_path / "none" / "out.jsonl", InputFileError),
        (tmp_path / "folder.jsonl", InputFileError),
    ):
        with pytest.raises(error) as caught:
            write(path)
        assert caught.value.exit_code == 2
    assert [found.name for found in tmp_path.iterdir()] == ["folder.jsonl"]
