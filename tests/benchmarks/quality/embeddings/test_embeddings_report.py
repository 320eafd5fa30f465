"""The section of the page: tables, plots and JSON, beside the part of the scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.quality.embeddings.protocol import (
    ANCHORS,
    COLD_START,
    PROBES,
    ColdStartTask,
    Probed,
    VectorsTask,
    run_probes,
)
from benchmarks.quality.embeddings.report import EmbeddingsReport
from benchmarks.quality.embeddings.run import EmbeddingsRun, read_sets
from benchmarks.quality.embeddings.tally import Ratio
from benchmarks.quality.page import EMBEDDINGS, SCORES, write_part
from tests.benchmarks.quality.embeddings.fleets import small_fleet, small_series

LIGHT = ("learn.burst_steps=0", "learn.samples_per_event=0", "modality.window=8")


def shares(*values: float) -> Ratio:
    return Ratio(("a", "b"), np.array(values), np.ones(2))


def probed(seed: int = 0) -> list[Probed]:
    leads = (24, 60, 140, 320, 650)
    return [
        Probed(PROBES, "plant", seed, "streamssl", "machine, linear", shares(0.8, 0.9)),
        Probed(PROBES, "plant", seed, "streamssl", "retrieval", shares(0.5, 0.7)),
        Probed(PROBES, "plant", seed, "PCA-64", "machine, linear", shares(0.3, 0.4)),
        Probed(ANCHORS, "plant", seed, "streamssl", "750 → 1,500", shares(0.9, 0.9)),
        Probed(ANCHORS, "plant", seed, "streamssl", "750 → 1,500 mapped", shares(1.0, 1.0)),
        *(
            Probed(COLD_START, "smd", seed, "streamssl", f"AUROC at {n}", shares(1, 0))
            for n in leads
        ),
    ]


def test_the_section_has_tables_plots_and_every_figure(tmp_path: Path) -> None:
    """Errors over machines, paired gains in bold, a dash where nothing was measured."""
    page = tmp_path / "quality.md"
    EmbeddingsReport("streamssl bench quality", 2, [*probed(0), *probed(1)]).write(page)
    text = page.read_text()
    assert "| streamssl | .850 ± .050 | .600 ± .100 |" in text
    assert "| against PCA-64 | **+0.500 ± .000** | - |" in text
    assert "| 750 → 1,500 mapped | 1.000 ± .000 |" in text
    assert "| AUROC at 60 | .500 ± .500 |" in text
    for name in ("machines", "faults", "anchors", "cold-start"):
        drawn = (tmp_path / "quality" / "embeddings" / f"{name}.svg").read_text()
        assert f"quality/embeddings/{name}.svg" in text
        assert "<svg" in drawn
    records = json.loads((tmp_path / "quality" / "embeddings" / "plant.json").read_text())
    assert records[0] == {
        "table": "probes",
        "seed": 0,
        "row": "streamssl",
        "probe": "machine, linear",
        "value": 0.85,
        "by_machine": {"a": 0.8, "b": 0.9},
    }
    first = (tmp_path / "quality" / "embeddings" / "machines.svg").read_bytes()
    EmbeddingsReport("again", 2, [*probed(0), *probed(1)]).write(page)
    assert (tmp_path / "quality" / "embeddings" / "machines.svg").read_bytes() == first


def test_each_suite_leaves_the_others_part_alone(tmp_path: Path) -> None:
    """In whatever order they are written, and as often."""
    page = tmp_path / "page.md"
    write_part(page, EMBEDDINGS, "## Embeddings")
    write_part(page, SCORES, "# Quality\n\nold")
    write_part(page, SCORES, "# Quality\n\nnew")
    write_part(page, EMBEDDINGS, "## Embeddings\n\nagain")
    text = page.read_text()
    assert text.startswith("# Quality\n\nnew\n\n<!-- embeddings")
    assert text.endswith("## Embeddings\n\nagain\n")
    assert "old" not in text


def test_a_task_gives_every_probe_of_the_whole_and_of_each_slice() -> None:
    """Rows, incidents and slices; the cold start is by the machine that joins."""
    found = run_probes(VectorsTask("core's residual, smoothed", small_fleet(), 0))
    rows = {one.row for one in found}
    assert {one.stream for one in found} == {"small"}
    assert rows == {f"core's residual, smoothed{part}" for part in ("", ", signed", ", size")}
    assert {one.probe for one in found} >= {"machine, linear", "R² +10", "regime", "retrieval"}
    series = [small_series(f"m{number}") for number in range(2)]
    joined = run_probes(ColdStartTask(series, 1, 0, LIGHT))
    assert {one.found.units for one in joined} == {("m1",)}


def test_ours_untrained_stands_beside_where_anything_is_trained() -> None:
    """And without peers only ours are run."""
    run = EmbeddingsRun(with_peers=False)
    assert [str(getattr(one, "name", one)) for one in run.vectors()] == [
        "streamssl",
        "streamssl, untrained",
    ]
    assert len(EmbeddingsRun(("learn.enabled=false",), with_peers=False).vectors()) == 1
    assert "raw window" in EmbeddingsRun().vectors()


def test_generated_streams_need_no_data() -> None:
    """No folder is asked for."""
    assert read_sets(["plant", "plant-other-kinds"], None) == {}
