"""Where the public series lie and how they are read; nothing of them is part of this project."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from streamssl.data.events import Float32Array, FloatArray, IntArray, StreamsslError

SENSOR_SETS = ("skab", "smd", "nab", "asd")
DATA_VARIABLE = "STREAMSSL_BENCH_DATA"
_EVAL_PREFIX = "eval_"

_HOW_TO_GET = f"""Give its folder with --data or {DATA_VARIABLE}. Expected layout:
  DATA/sensor/<set>/<series>.parquet    one file a series, for the sets {", ".join(SENSOR_SETS)}
with the columns `time`, one float column a channel, `eval_label` (1 = anomaly) and `eval_use`
(1 = the metrics count this row, 0 = warm-up). The sets are public:
  skab  https://github.com/waico/SKAB             34 series, 8 channels
  smd   https://github.com/NetManAIOps/OmniAnomaly  folder ServerMachineDataset, 38 channels
  nab   https://github.com/numenta/NAB            58 series, 1 channel
  asd   https://github.com/zhhlee/InterFusion     application servers, 19 channels"""


class BenchDataError(StreamsslError):
    """The benchmark's data are not where they should be."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Series:
    """One stream with its labels, which only the metrics read.

    Attributes:
        set_name: Name of the set that it belongs to.
        name: Name of the file without its suffix.
        time: `[N]` seconds since 1970.
        fields: Names of the C channels.
        values_NC: `[N, C]` float32, NaN = missing.
        label: `[N]` 1 = anomaly.
        use: `[N]` 1 = the metrics count this row; the rest is warm-up.
    """

    set_name: str
    name: str
    time: FloatArray
    fields: tuple[str, ...]
    values_NC: Float32Array
    label: IntArray
    use: IntArray

    @property
    def num_warmup(self) -> int:
        """Rows before the first one that counts."""
        return int(np.argmax(self.use == 1)) if self.use.any() else len(self.use)


def data_folder(given: Path | None) -> Path:
    """The data folder: `--data`, else the environment.

    Raises:
        BenchDataError: Neither is given, or the folder does not exist.
    """
    named = given or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    if named is None:
        raise BenchDataError(f"No benchmark data given. {_HOW_TO_GET}")
    if not named.is_dir():
        raise BenchDataError(f"There is no folder {named}. {_HOW_TO_GET}")
    return named


def load_series(folder: Path | str, set_name: str) -> list[Series]:
    """Every series of `folder/sensor/<set_name>`, by name.

    Raises:
        BenchDataError: The set is missing or empty, or a file lacks a column.
    """
    files = sorted((Path(folder) / "sensor" / set_name).glob("*.parquet"))
    if not files:
        raise BenchDataError(f"No series under {folder}/sensor/{set_name}. {_HOW_TO_GET}")
    return [_read(path, set_name) for path in files]


def _read(path: Path, set_name: str) -> Series:
    table = pq.read_table(path)
    missing = {"time", "eval_label", "eval_use"} - set(table.column_names)
    if missing:
        raise BenchDataError(f"{path} lacks the columns {sorted(missing)}. {_HOW_TO_GET}")
    fields = tuple(c for c in table.column_names if c != "time" and not c.startswith(_EVAL_PREFIX))
    columns = [table[c].to_numpy().astype(np.float32) for c in fields]
    return Series(
        set_name=set_name,
        name=path.stem,
        time=table["time"].to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6,
        fields=fields,
        values_NC=np.stack(columns, axis=1),
        label=table["eval_label"].to_numpy().astype(np.int64),
        use=table["eval_use"].to_numpy().astype(np.int64),
    )
