"""The section "Embeddings" of the page, its plots, and every figure in JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.embeddings.plots import draw
from benchmarks.quality.embeddings.protocol import ANCHORS, COLD_START, PROBES, Probed
from benchmarks.quality.embeddings.tables import (
    figures,
    figures_table,
    gains_table,
    streams,
    turned_table,
)
from benchmarks.quality.page import EMBEDDINGS, write_part
from benchmarks.quality.report import versions

_INTRODUCTION = """\
Vectors as published, one pass, no labels; several machines are keys of one stream. Probes are
fitted on rows from a quarter of the stream to .65 of it, and judged on later ones (every tenth).
*machine*: share of rows whose machine a ridge, or most of 20 neighbours, finds. *R² +h*: the row h
ahead by a ridge, all channels, in each machine's own deviations over its training rows (a model's
units never enter). *regime*: balanced over three load regimes. *one-shot*, *five-shot*: mean over
kinds of the share of incidents whose kind is that of the nearest centroid (cosine, mean of an
incident's vectors from its 8th row on) of 1 or 5 labelled ones a kind, 20 draws; labels come from
.4 to .6 of the stream, judged are later incidents on machines that the kind was not labelled on.
*retrieval*: share of incidents whose nearest past one on another machine is of the same kind.
± is the standard error over machines (jackknife); gains are paired by machine, bold beyond 2 SE.
Peers see the rows in deviations of the machine's past rows (readings clipped at 4, squashed at 5):
*raw window* all 32, *PCA-64* the components of their 16 block means, fitted on the first quarter;
*core's residual* what a gated Gaussian over about 100 lagged values leaves of each channel, a
moving average of span 8 of it, and of its size of span 16. *Untrained* is the same
configuration without any training.
Streams: `smd`, `asd` (at most 8,000 rows a machine); `plant`, `plant-other-kinds`: 20 generated
machines, 10,000 rows, three load regimes, a fault every 240 rows or so, 12 and 15 kinds of them on
random sensors or on the process (`benchmarks/quality/embeddings/kinds.py`)."""
_ANCHORS = """\
Windows before a checkpoint, embedded there and again at the next one (rows a machine), in the same
context: mean cosine as they are, and after a linear map that is fitted on the earlier half."""
_COLD_START = """\
A machine joins the others, of which 4,000 rows each are known, so that a labelled anomaly begins at
its event 24 and so on (up to four arrivals a machine and lead). *AUROC*: of `raw` and of the
published `score` on the anomaly's first 40 rows against those from the 16th event on before it;
*caught*: an alert in these 40; *false rows*: share of rows without a label that alerted at the
default budget, by event of the machine, in arrivals at random. Epochs are as long as a live
daemon's. *Alone*: the peer starts from nothing with the new machine."""


@dataclass(frozen=True, slots=True)
class EmbeddingsReport:
    """What was run and what came out.

    Attributes:
        command: The command line.
        num_seeds: Seeds of every figure.
        probed: All of them, in the order of the run.
    """

    command: str
    num_seeds: int
    probed: Sequence[Probed]

    def write(self, path: Path) -> None:
        """Write the page's section; beside it plots, and `embeddings/<stream>.json`."""
        folder = path.with_suffix("") / EMBEDDINGS
        folder.mkdir(parents=True, exist_ok=True)
        for stream in dict.fromkeys(one.stream for one in self.probed):
            records = [_record(one) for one in self.probed if one.stream == stream]
            lines = ",\n".join(json.dumps(record) for record in records)
            (folder / f"{stream}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        beside = f"{folder.parent.name}/{folder.name}"
        write_part(path, EMBEDDINGS, self.markdown(draw(self.probed, folder), beside))

    def markdown(self, plots: Mapping[str, str], folder: str) -> str:
        """The section; `plots` are file names by title, in `folder` beside the page."""
        seeds = f"{self.num_seeds} seed{'s' if self.num_seeds > 1 else ''}. {versions()}"
        parts = ["## Embeddings", f"`{self.command}`", _INTRODUCTION, seeds]
        parts += [f"![{title}]({folder}/{file})" for title, file in plots.items()]
        for stream in streams(self.probed, PROBES):
            rows = figures(self.probed, PROBES, stream)
            parts += [f"### {stream}", figures_table(rows), gains_table(rows)]
            parts += [f"All figures by machine: `{folder}/{stream}.json`."]
        for table, heading, told in (
            (ANCHORS, "### Anchors through the stream", _ANCHORS),
            (COLD_START, "### Cold start", _COLD_START),
        ):
            named = streams(self.probed, table)
            parts += [heading, told] if named else []
            for stream in named:
                rows = figures(self.probed, table, stream)
                parts += [f"**{stream}**", turned_table(rows)]
        return "\n\n".join(part for part in parts if part) + "\n"


def _record(one: Probed) -> dict[str, object]:
    units = zip(
        one.found.units, one.found.gain_U.tolist(), one.found.weight_U.tolist(), strict=True
    )
    by_unit = {unit: round(gain / weight, 4) for unit, gain, weight in units if weight > 0}
    return {
        "table": one.table,
        "seed": one.seed,
        "row": one.row,
        "probe": one.probe,
        "value": round(one.found.value, 4),
        "by_machine": by_unit,
    }
