"""`streamssl replay`: files in, files out, the engine in between."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from streamssl.cli.replay import replay
from streamssl.cli.replay_view import progress, summary_lines
from streamssl.codecs.table_fields import TableError
from streamssl.config import ConfigError, load_config
from streamssl.config.budget import parse_budget
from streamssl.data.drift import Drift
from streamssl.data.events import Schema, StreamsslError
from streamssl.engine.backtest import Backtest
from streamssl.engine.summary import Summary
from streamssl.stream import StreamLearner
from streamssl.transport.files import FileTransport, InputFileError

EVERY = ["row", "key", "event_time", "score", "p_value", "raw", "threshold", "anomaly", "severity"]
EVERY += ["incident_id", "incident_state", "incident_field", "warming", "top_field"]
WHY = ["attribution", "expected", "expected_low", "expected_high", "actual", "neighbours"]
COLUMNS = [*EVERY, "raw_gaussian", "raw_window", "raw_residual", *WHY]
# Small networks, so that each replay takes well under a second.
QUICK = ["learner.hidden=8", "learner.embedding=4", "learner.projection=4", "learn.burst_steps=4"]


def run(*arguments: object) -> Result:
    """Run the verb; errors of the user come out as they are."""
    app = typer.Typer()
    app.command()(replay)
    quick = [part for setting in QUICK for part in ("--set", setting)]
    result = CliRunner().invoke(app, [*map(str, arguments), *quick])
    if isinstance(result.exception, StreamsslError):
        raise result.exception
    return result


def table(num_rows: int = 400, num_channels: int = 3) -> pa.Table:
    """Two machines by turns, with times, a label and channels; row 390 is far off."""
    generator = np.random.default_rng(0)
    row = np.arange(num_rows)
    columns: dict[str, Any] = {
        "time": 1.7e9 + row,
        "machine": [f"m{number % 2}" for number in row],
        "label": (row == 390).astype(np.int64),
    }
    for channel in range(num_channels):
        values = np.sin(row / 9 + channel) + generator.normal(0, 0.1, num_rows)
        columns[f"c{channel}"] = np.where(row == 390, 50.0, values.round(4))
    return pa.table(columns)


def write(path: Path, rows: pa.Table) -> Path:
    """A table as CSV, JSON Lines or Parquet."""
    if path.suffix == ".csv":
        arrow_csv.write_csv(rows, path)
    elif path.suffix == ".parquet":
        pq.write_table(rows, path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows.to_pylist()))
    return path


def scores(path: Path) -> pa.Table:
    return arrow_csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)


NAMED = ("--time-column", "time", "--key-column", "machine", "--ignore-columns", "label")


def test_one_output_row_per_input_row_in_order(tmp_path: Path) -> None:
    """The columns are the documented ones; of what follows warm-up the outlier is highest."""
    source = write(tmp_path / "input.csv", table())
    result = run("--input", source, "--output", tmp_path / "out.csv", *NAMED)
    assert result.exit_code == 0, result.output
    out = scores(tmp_path / "out.csv")
    assert out.column_names == COLUMNS
    assert out["row"].to_pylist() == list(range(400))
    assert out["key"].to_pylist()[:3] == ["m0", "m1", "m0"]
    assert out["event_time"].to_pylist()[:2] == [1.7e9, 1.7e9 + 1]
    assert 200 + int(np.argmax(out["raw"].to_numpy()[200:])) == 390
    assert set(out["top_field"].to_pylist()) <= {"c0", "c1", "c2"}
    assert out["score"].null_count == 0


def test_the_summary_says_what_was_done(tmp_path: Path) -> None:
    """Events, rate, what was learned, what was found, and every file that was written."""
    source = write(tmp_path / "input.csv", table())
    save = tmp_path / "saved"
    result = run("--input", source, "--output", tmp_path / "out.csv", "--save", save, *NAMED)
    assert "events        400 in" in result.stdout
    assert "channels      3: c0, c1, c2" in result.stdout
    assert "left out      label: left out by input.ignore_fields" in result.stdout
    assert "keys          2, 2 still warming" in result.stdout
    assert "warming       100 % of the rows" in result.stdout
    assert "hint" not in result.stdout
    assert "learned " in result.stdout
    assert "dead letters  0" in result.stdout
    for name in ("out.csv", "out.dlq.jsonl", "out.incidents.jsonl", "out.journal.jsonl", "saved"):
        assert f"written       {tmp_path / name}" in result.stdout
        assert (tmp_path / name).exists()


def test_unused_columns_of_time_and_key_are_hinted_at(tmp_path: Path) -> None:
    """By name of the option; what is named is no hint any more."""
    source = write(tmp_path / "input.csv", table())
    told = run("--input", source, "--output", tmp_path / "out.csv").stdout
    assert "hint          column 'time' looks like a time: --time-column time" in told
    assert "hint          column 'machine' looks like a key: --key-column machine" in told
    assert "left out      machine: text that repeats" in told


def test_what_times_were_taken_for_is_told(tmp_path: Path) -> None:
    """Dates as numbers are read and said to be a guess; times that go back are a warning."""
    days = [20260301 + row % 28 for row in range(40)]
    rows = table(40).set_column(0, "time", pa.array(days))
    source = write(tmp_path / "input.parquet", rows)
    result = run("--input", source, "--output", tmp_path / "out.parquet", "--time-column", "time")
    assert "hint          column 'time' was read as dates such as '%Y%m%d'" in result.stdout
    assert result.stdout.count("warning       times go back, first in row 28") == 1
    assert scores(tmp_path / "out.parquet")["event_time"].to_pylist()[0] == 1_772_323_200.0


def test_every_format_gives_the_same_scores(tmp_path: Path) -> None:
    """CSV, Parquet and JSON Lines of the same rows; also twice the same."""
    raws = []
    for name in ("input.csv", "input.parquet", "input.jsonl", "input.csv"):
        source = write(tmp_path / name, table())
        out = tmp_path / "out.parquet"
        assert run("--input", source, "--output", out, *NAMED).exit_code == 0
        raws.append(scores(out)["raw"].to_numpy())
    for raw in raws[1:]:
        np.testing.assert_array_equal(raw, raws[0])


def test_an_anomaly_says_why_in_every_format(tmp_path: Path) -> None:
    """Shares, expected and actual values by name: maps in Parquet, else objects of JSON."""
    source = write(tmp_path / "input.csv", table(1_200))
    ready = ["--set", "alerts.calibration_warmup=32", "--set", "alerts.budget=0.05"]
    for name in ("out.csv", "out.parquet", "out.jsonl"):
        assert run("--input", source, "--output", tmp_path / name, *ready, *NAMED).exit_code == 0
    with (tmp_path / "out.csv").open() as file:
        written = list(csv.DictReader(file))
    columns = pq.read_table(tmp_path / "out.parquet").to_pylist(maps_as_pydicts="strict")
    objects = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [*written[0]] == [*columns[0]] == [*objects[0]] == COLUMNS
    assert objects == columns
    rows = [row for row in columns if row["anomaly"]]
    assert rows
    for row in rows:
        assert set(row["attribution"]) == set(row["expected"]) == {"c0", "c1", "c2"}
        assert sum(row["attribution"].values()) == pytest.approx(1.0)
        assert row["severity"] != "none"
        cells = written[row["row"]]
        assert [json.loads(cells[name]) for name in WHY] == [row[name] for name in WHY]
    usual = [row for row in columns if not row["anomaly"]]
    assert {row[name] for row in usual for name in WHY} == {None}
    assert {written[row["row"]]["expected"] for row in usual} == {""}


def test_a_row_that_cannot_be_read_has_nulls_and_a_reason(tmp_path: Path) -> None:
    """The others are scored as if it were not there."""
    source = tmp_path / "input.csv"
    lines = [f"{np.sin(row):.3f},{row % 7}" for row in range(60)]
    lines[20], lines[40] = "oops,1", "1,2,3"
    source.write_text("\n".join(["a,b", *lines]) + "\n")
    vectors = tmp_path / "vectors.parquet"
    result = run("--input", source, "--output", tmp_path / "out.parquet", "--embeddings", vectors)
    assert result.exit_code == 0, result.output
    out = scores(tmp_path / "out.parquet").to_pylist()
    assert [row["row"] for row in out if row["score"] is None] == [20, 40]
    assert set(out[20].values()) == {20, None}
    letters = [json.loads(x) for x in (tmp_path / "out.dlq.jsonl").read_text().splitlines()]
    assert [(x["row"], x["reason"]) for x in letters] == [(20, "wrong_type"), (40, "wrong_count")]
    assert letters[1]["original"] == "1,2,3"
    embedded = pq.read_table(vectors)
    assert len(embedded) == 60
    assert [len(v) if v else None for v in embedded["vector"].to_pylist()[19:22]] == [68, None, 68]


@pytest.mark.parametrize(
    "columns",
    [
        {"a": [1.0] * 50},  # constant
        {"a": [None] * 40 + [1.0] * 10, "b": list(range(50))},  # begins late
        {"a": [True, False] * 25},
        {"a": list(range(50)), "name": ["x"] * 50},
        {f"c{channel}": np.random.default_rng(channel).normal(size=50) for channel in range(500)},
        {"a": [1e30, -1e30] * 25},
        {"a": [1.0]},
    ],
    ids=["constant", "late", "boolean", "text", "500 channels", "huge", "one row"],
)
def test_any_numeric_file_works_unprepared(tmp_path: Path, columns: dict[str, Any]) -> None:
    """No option is needed, every row has a score that is a number."""
    source = write(tmp_path / "input.csv", pa.table(columns))
    result = run("--input", source, "--output", tmp_path / "out.parquet")
    assert result.exit_code == 0, result.output
    out = scores(tmp_path / "out.parquet")
    assert len(out) == len(pa.table(columns))
    for name in ("score", "p_value", "raw"):
        assert np.isfinite(out[name].to_numpy()).all()


@pytest.mark.parametrize("name", ["input.csv", "input.parquet", "input.jsonl"])
def test_a_file_without_rows_gives_an_output_without_rows(tmp_path: Path, name: str) -> None:
    """No rows are no error."""
    source = write(tmp_path / name, table(0))
    save = tmp_path / "saved"
    result = run("--input", source, "--output", tmp_path / "out.csv", "--save", save)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.csv").read_text() == ",".join(COLUMNS) + "\n"


def test_a_saved_state_can_be_gone_on_from(tmp_path: Path) -> None:
    """The checkpoint holds the whole stream, its last epoch closed."""
    source = write(tmp_path / "input.csv", table())
    save = tmp_path / "saved"
    run("--input", source, "--output", tmp_path / "out.csv", "--save", save, *NAMED)
    learner = StreamLearner.from_config(load_config(None, QUICK))
    learner.load(save)
    assert learner.schema == Schema(("c0", "c1", "c2"))
    assert learner.num_open_events == 0
    assert learner.epoch > 1


def test_scorers_that_are_off_have_no_column(tmp_path: Path) -> None:
    """One `raw_` column per scorer that is on; `--set` reaches every setting."""
    source = write(tmp_path / "input.csv", table(100))
    out = tmp_path / "out.csv"
    on = ["--set", "scorers.memory.enabled=true", "--set", "scorers.residual.enabled=false"]
    assert run("--input", source, "--output", out, *on, *NAMED).exit_code == 0
    assert scores(out).column_names == [*EVERY, "raw_gaussian", "raw_window", "raw_memory", *WHY]


def test_the_configuration_names_columns_too(tmp_path: Path) -> None:
    """A stream's own configuration fits its history; an option overrides it."""
    source = write(tmp_path / "input.csv", table(50))
    config = tmp_path / "config.yaml"
    config.write_text("input: {time_field: time, key_field: none, ignore_fields: [label]}\n")
    out = tmp_path / "out.csv"
    with pytest.raises(TableError, match="no column 'none'"):
        run("-c", config, "--input", source, "--output", out)
    result = run("-c", config, "--input", source, "--output", out, "--key-column", "machine")
    assert result.exit_code == 0, result.output
    assert scores(out)["event_time"].to_pylist()[0] == 1.7e9


def test_mistakes_end_with_exit_code_2_and_write_nothing(tmp_path: Path) -> None:
    """Files, columns, settings and options that do not fit."""
    source = write(tmp_path / "input.csv", table(50))
    out = tmp_path / "out.csv"
    with pytest.raises(TableError, match="'nope'"):
        run("--input", source, "--output", out, "--time-column", "nope")
    with pytest.raises(TableError, match="no column holds numbers"):
        run("--input", source, "--output", out, "--ignore-columns", "c*, time,lab*")
    with pytest.raises(InputFileError, match="no such file"):
        run("--input", tmp_path / "none.csv", "--output", out)
    with pytest.raises(ConfigError):
        run("--input", source, "--output", out, "--set", "learn.nope=1")
    bare = ("learner.enabled=false", "scorers.residual.enabled=false", "alerts.neighbours=0")
    settings = [f"--set={one}" for one in (*bare, "outputs.embeddings.enabled=false")]
    vectors = tmp_path / "vectors.parquet"
    told = run("--input", source, "--output", out, "--embeddings", vectors, *settings)
    assert (told.exit_code, "learner.enabled" in told.output) == (2, True)
    assert run("--output", out).exit_code == 2
    assert run("--output", out, "--input", source, "--journal").exit_code == 2
    assert run("--output", out, "--input", source, "--save", source / "saved").exit_code == 2
    assert {path.name for path in tmp_path.iterdir()} == {"input.csv"}


@pytest.mark.parametrize(
    "option",
    ["--input", "--embeddings", "--save", "--time-column", "--key-column", "--ignore-columns"],
)
def test_options_of_files_are_refused_with_the_journal(tmp_path: Path, option: str) -> None:
    """What a replay of the journal would not heed is a usage error that names the option."""
    result = run("--journal", "--output", tmp_path / "out.parquet", option, tmp_path / "x")
    assert result.exit_code == 2
    assert option in result.stderr
    assert "--journal" in result.stderr
    assert list(tmp_path.iterdir()) == []


def counted() -> Summary:
    """What a run might have done."""
    return Summary(
        events=3_200,
        dead_letters=1,
        epochs=5,
        samples_trained=400,
        anomalies=7,
        incidents=2,
        warming=1_200,
        keys=3,
        keys_warming=1,
        first_time=0.0,
        last_time=43_200.0,
        seconds=2.0,
        channels=["a", "b"],
        num_channels=3,
        left_out={"n": "looks like a row number"},
        new_fields={"late": 9},
        absent={"presure": "did you mean pressure?"},
        vanished=["b"],
        warnings={"short_lived": "no key lives long enough"},
    )


def test_the_rate_counts_rows_and_not_the_start_up(tmp_path: Path) -> None:
    """Seconds go from the first row taken, networks built, to the last output published."""
    source = write(tmp_path / "input.csv", table(50))
    transport = FileTransport(source, tmp_path / "out.csv")
    ticks = itertools.count()
    config = load_config({"learner": {"hidden": 8, "embedding": 4, "projection": 4}})
    backtest = Backtest(config, transport, clock=lambda: float(next(ticks)))
    started = next(ticks)
    assert not (tmp_path / "out.csv").exists()
    done = backtest.run()
    assert (tmp_path / "out.csv").exists()
    assert done.seconds == next(ticks) - started - 2


def test_learned_samples_are_shown_per_event() -> None:
    """The figure by which one sees whether learning keeps up."""
    written, hints = [Path("out.csv")], ("column 'm' looks like a key: --key-column m",)
    assert summary_lines(counted(), parse_budget(0.001), hints, 1.64, written) == [
        "events        3,200 in 2.0 s, 1,600 events/s (start-up 1.6 s)",
        "keys          3, 1 still warming",
        "warming       37.5 % of the rows: no alert on them",
        "learned       400 samples in 5 epochs, one per 8.0 events",
        "anomalies     7 in 2 incidents",
        "alert rate    0.1 % incidents (budget 0.1 %), anomalies 0.35 % of the rows that were not "
        "warming",
        "dead letters  1",
        "channels      3: a, b, ...",
        "left out      n: looks like a row number",
        "left out      late: came after the first events (9 values); name it in modality.fields to "
        "have it",
        "absent        presure: no row has a value of it; did you mean pressure?",
        "vanished      b: has no values any more",
        "warning       no key lives long enough",
        "hint          column 'm' looks like a key: --key-column m",
        "written       out.csv",
    ]
    a_day = summary_lines(counted(), parse_budget("20/day"), (), 1.64, written)
    assert "alert rate    4.0 incidents a day of event time (budget 20/day)" in "\n".join(a_day)


def test_plain_lines_come_at_intervals_where_there_is_no_terminal() -> None:
    """A log file is not filled with progress."""
    text = io.StringIO()
    times = iter([0.0, 4.0, 11.0, 11.0, 12.0])
    console = Console(file=text, force_terminal=False)
    with progress(console, lambda: 0.25, clock=lambda: next(times)) as show:
        for _ in range(3):
            show(counted())
    assert text.getvalue() == "25% 3,200 events, 1,600/s, 2 incidents\n"


def test_a_terminal_shows_a_bar() -> None:
    """It moves with the share of the file that was read."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100)
    with progress(console, lambda: 0.25) as show:
        show(counted())
    assert "25%" in text.getvalue()
    assert "3,200 events" in text.getvalue()


def test_a_german_table_is_read_and_told(tmp_path: Path) -> None:
    """Semicolons, decimal commas, no header and Latin-1 are found out, each in a line."""
    rows = (f"{20 + i % 7 / 8};{i % 5 / 4};{'grün' if i % 2 else 'rot'}\n" for i in range(80))
    source = tmp_path / "input.csv"
    source.write_bytes("".join(rows).replace(".", ",").encode("latin-1"))
    result = run("--input", source, "--output", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    for note in ("cp1252", "a semicolon", "no header", "commas before decimals"):
        assert any(note in line for line in result.stdout.splitlines() if "read as" in line), note
    assert len(scores(tmp_path / "out.csv")) == 80
    assert set(scores(tmp_path / "out.csv")["top_field"].to_pylist()) <= {"column_0", "column_1"}


def test_what_is_said_of_a_table_is_not_guessed(tmp_path: Path) -> None:
    """The options of CSV reach the reader."""
    source = tmp_path / "input.csv"
    source.write_text("01/03/2026 08:00:00|1'000,5|x\n" * 40)
    said = ("--delimiter", "|", "--decimal", ",", "--thousands", "'", "--no-header")
    more = ("--na-values", "x,y", "--date-format", "%d/%m/%Y %H:%M:%S", "--encoding", "utf-8")
    result = run(
        *("--input", source, "--output", tmp_path / "out.parquet", "--time-column", "column_0"),
        *(*said, *more),
    )
    assert result.exit_code == 0, result.output
    assert "read as" not in result.stdout
    out = scores(tmp_path / "out.parquet")
    assert out["event_time"].to_pylist() == [1_772_352_000.0] * 40
    assert out["score"].null_count == 0


@pytest.mark.parametrize("content", ["", "time,a\n"])
def test_a_file_without_rows_is_told(tmp_path: Path, content: str) -> None:
    """Nothing was scored: the warning says so by the file's name."""
    source = tmp_path / "input.csv"
    source.write_text(content)
    result = run("--input", source, "--output", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    assert "holds no rows: nothing was scored" in " ".join(result.output.split())


def rows_with(num_rows: int, late_from: int) -> list[dict[str, object]]:
    """A row number, a timestamp, a site, two measurements, and one that comes late."""
    rng = random.Random(0)
    return [
        {"n": i, "ts": 1_772_000_000 + i, "site": "A"}
        | {name: round(rng.gauss(0, 1), 3) for name in ("a", "b")}
        | ({"late": round(rng.gauss(0, 1), 3)} if i >= late_from else {})
        for i in range(num_rows)
    ]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_the_columns_of_a_file_are_told(tmp_path: Path, suffix: str) -> None:
    """Counters and times are left out with a hint; a late field is told, a late column is one."""
    rows = rows_with(5_000, late_from=4_500)
    source = tmp_path / f"input{suffix}"
    if suffix == ".csv":
        names = ["n", "ts", "site", "a", "b", "late"]
        text = "\n".join(",".join(str(row.get(name, "")) for name in names) for row in rows)
        source.write_text(",".join(names) + "\n" + text + "\n")
    else:
        source.write_text("\n".join(map(json.dumps, rows)))
    result = run("--input", source, "--output", tmp_path / "out.parquet")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    told = {line.split()[2].rstrip(":"): line for line in lines if line.startswith("left out")}
    (channels,) = [line for line in lines if line.startswith("channels")]
    if suffix == ".csv":
        assert channels == "channels      3: a, b, late"
        assert sorted(told) == ["n", "site", "ts"]
    else:
        assert channels == "channels      2: a, b"
        assert sorted(told) == ["late", "n", "site", "ts"]
        assert "came after the first events" in told["late"]
    assert "row number" in told["n"]
    assert "input.time_field" in told["ts"]


def test_a_backtest_is_as_tolerant_as_production(tmp_path: Path) -> None:
    """With the daemon's settings only bad fields are missing, and the summary counts them."""
    source = tmp_path / "input.jsonl"
    rows = [{"m": {"a": str(np.sin(i)), "b": "oops" if i % 9 == 3 else i % 7}} for i in range(90)]
    source.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(TableError, match=r"modality\.fields: m\.b"):
        run("--input", source, "--output", tmp_path / "out.parquet")
    tolerant = ("input.numbers_as_text=true", "input.on_bad_field=missing")
    named = ('modality.fields=["m.a", "m.b"]', *tolerant)
    options = [part for setting in named for part in ("--set", setting)]
    result = run("--input", source, "--output", tmp_path / "out.parquet", *options)
    assert result.exit_code == 0, result.output
    assert "dead letters  0" in result.stdout
    assert "bad fields    10, missing" in result.stdout
    assert scores(tmp_path / "out.parquet")["score"].null_count == 0


def test_what_is_said_of_a_table_and_does_not_fit_is_told(tmp_path: Path) -> None:
    """Words that no cell is, ignored columns that are none, and blank lines, each in a line."""
    source = tmp_path / "input.csv"
    source.write_text("p,q\n" + "".join(f"{i % 7}.5,{i % 5 or -999.0}\n\n" for i in range(60)))
    result = run(
        *("--input", source, "--output", tmp_path / "out.csv"),
        *("--na-values", "void, -999", "--ignore-columns", "P"),
    )
    assert result.exit_code == 0, result.output
    lines = " / ".join(result.stdout.splitlines())
    assert "--na-values: no cell is 'void' /" in lines
    assert "--ignore-columns 'P' is no column: near it 'p'" in lines
    assert "60 blank lines skipped" in lines
    assert scores(tmp_path / "out.csv").num_rows == 60


def test_a_bad_cell_of_csv_is_told_with_the_option_that_mends_it(tmp_path: Path) -> None:
    """Not with what a producer of messages would do."""
    source = tmp_path / "input.csv"
    source.write_text("p,q\n" + "1.5,2\n" * 60 + 'off,"1"\n')
    result = run("--input", source, "--output", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    assert "--na-values off" in result.output
    assert "input.ignore_fields" not in result.output


def test_drifts_are_a_line_of_the_summary() -> None:
    """How many of what, and the newest; nothing where there was none."""
    counts = counted()
    assert "drifts" not in "".join(summary_lines(counts, parse_budget(0.001), (), 1.0, []))
    counts.drifted(Drift("loss.moco", 5, 50.0, 40.0, 1.0, 2.0))
    for epoch in (7, 9):
        counts.drifted(Drift("scores", epoch, 99.0, 90.0, 0.01, 0.4567))
    assert (
        "drifts        loss.moco 1, scores 2; the newest: scores 0.01 -> 0.457 since 90"
    ) in summary_lines(counts, parse_budget(0.001), (), 1.0, [])
