"""The data: found by option or environment, read as columns, and a remedy where missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.quality.data import DATA_VARIABLE, BenchDataError, data_folder, load_series
from tests.benchmarks.quality.fakes import sensor_file_columns


def write(folder: Path, columns: dict[str, pa.Array]) -> None:
    (folder / "sensor" / "skab").mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "sensor" / "skab" / "one.parquet")


def test_a_series_is_read_with_its_labels_apart_from_its_channels(tmp_path: Path) -> None:
    """Labels and warm-up never are channels; a missing value is NaN; time is in seconds."""
    write(tmp_path, sensor_file_columns())
    (series,) = load_series(tmp_path, "skab")
    assert (series.name, series.fields, series.num_warmup) == ("one", ("a",), 1)
    assert series.time.tolist() == [0.0, 1.5, 2.0]
    assert series.label.tolist() == [0, 1, 0]
    assert np.isnan(series.values_NC[:, 0]).tolist() == [False, True, False]


def test_a_file_without_labels_is_refused_by_name(tmp_path: Path) -> None:
    """A file of another layout is named, with the columns that it lacks."""
    columns = sensor_file_columns()
    del columns["eval_use"]
    write(tmp_path, columns)
    with pytest.raises(BenchDataError, match=r"one\.parquet lacks the columns \['eval_use'\]"):
        load_series(tmp_path, "skab")


def test_missing_data_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without data the error names the option, the layout and the sets' origin; exit code 2."""
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    for look in (lambda: data_folder(None), lambda: load_series(tmp_path, "smd")):
        with pytest.raises(BenchDataError, match=r"--data .*(?s:.*)github\.com") as caught:
            look()
        assert caught.value.exit_code == 2


def test_the_option_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--data` is used where given, else the variable."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert data_folder(None) == tmp_path
    assert data_folder(tmp_path.parent) == tmp_path.parent
