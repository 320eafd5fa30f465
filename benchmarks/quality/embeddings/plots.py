"""The plots of the section "Embeddings", drawn as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.quality.embeddings.cold_start import LEADS
from benchmarks.quality.embeddings.protocol import ANCHORS, COLD_START, PROBES, Probed
from benchmarks.quality.embeddings.tables import OURS, Figures, figures, streams
from benchmarks.quality.embeddings.tally import Ratio
from benchmarks.quality.metrics import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUPS = (
    ("machines", "Which machine", ("machine, linear", "machine, 20-NN")),
    ("ahead", "R² of rows ahead", ("R² +1", "R² +10", "R² +50")),
    ("faults", "Fault kinds", ("one-shot", "five-shot", "retrieval")),
    ("regimes", "Load regime", ("regime",)),
)
_WIDTH_IN, _HEIGHT_IN = 9.0, 3.2
_GROUP_WIDTH = 0.85


def require_matplotlib() -> Any:
    """`matplotlib.pyplot` for files only, with text as text and the same bytes every time.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError(
            "The plots need matplotlib, which is not installed: run `pip install streamssl[bench]`."
        ) from error
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "streamssl"})
    from matplotlib import pyplot

    return pyplot


def draw(probed: Sequence[Probed], folder: Path) -> dict[str, str]:
    """Draw every plot that there are figures for; file names by title."""
    names = streams(probed, PROBES)
    by_stream = {name: figures(probed, PROBES, name) for name in names}
    drawn: dict[str, str] = {}
    for file, title, probes in GROUPS:
        shown = {n: rows for n, rows in by_stream.items() if _has(rows, probes)}
        if shown:
            drawn[title] = _bars(folder / f"{file}.svg", title, probes, shown)
    for file, title, table in (
        ("anchors", "Anchor cosine", ANCHORS),
        ("cold-start", "Cold start: AUROC", COLD_START),
    ):
        lines = {name: figures(probed, table, name) for name in streams(probed, table)}
        if lines:
            drawn[title] = _curves(folder / f"{file}.svg", title, table, lines)
    return drawn


def _has(rows: Figures, probes: Sequence[str]) -> bool:
    return any(probe in found for found in rows.values() for probe in probes)


def _bars(path: Path, title: str, probes: Sequence[str], shown: dict[str, Figures]) -> str:
    """One panel a stream: a group of bars a probe, a bar a vector, with standard errors."""
    pyplot = require_matplotlib()
    size = (_WIDTH_IN, _HEIGHT_IN)
    figure, axes = pyplot.subplots(1, len(shown), figsize=size, sharey=True, squeeze=False)
    for axis, (name, rows) in zip(axes[0], shown.items(), strict=True):
        _panel(axis, name, probes, rows)
    axes[0][0].set_ylabel(title)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=4, fontsize=7, frameon=False)
    figure.subplots_adjust(bottom=0.3, left=0.08, right=0.99, top=0.9, wspace=0.06)
    return _saved(pyplot, figure, path)


def _panel(axis: Axes, name: str, probes: Sequence[str], rows: Figures) -> None:
    width = _GROUP_WIDTH / max(len(rows), 1)
    for number, (row, found) in enumerate(rows.items()):
        place = np.arange(len(probes)) + (number - (len(rows) - 1) / 2) * width
        value = [found[probe].value if probe in found else np.nan for probe in probes]
        error = [found[probe].error if probe in found else np.nan for probe in probes]
        axis.bar(place, value, width, yerr=error, label=row, error_kw={"linewidth": 0.6})
    axis.set_xticks(np.arange(len(probes)), probes, fontsize=8)
    axis.set_ylim(bottom=min(0.0, max(axis.get_ylim()[0], -0.3)), top=1.02)
    axis.set_title(name, fontsize=9)


def _curves(path: Path, title: str, table: str, lines: dict[str, Figures]) -> str:
    """One panel: a line a stream and vector, along the stream or the first event's number."""
    pyplot = require_matplotlib()
    figure, axis = pyplot.subplots(figsize=(_WIDTH_IN * 0.7, _HEIGHT_IN))
    for stream, rows in lines.items():
        for row, found in rows.items():
            if table == ANCHORS and row != OURS:
                continue
            for what, x, tallies in _series(table, found):
                y, error = [t.value for t in tallies], [t.error for t in tallies]
                axis.errorbar(x, y, error, label=_label(stream, row, what), linewidth=1, capsize=2)
    axis.set_ylabel(title)
    axis.set_xlabel("event of the new machine" if table == COLD_START else "rows a machine")
    axis.legend(fontsize=6, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.subplots_adjust(bottom=0.17, left=0.11, right=0.6, top=0.95)
    return _saved(pyplot, figure, path)


def _label(stream: str, row: str, what: str) -> str:
    return f"{stream}: {row}{what}".replace("`", "")


def _series(table: str, found: Mapping[str, Ratio]) -> list[tuple[str, list[str], list[Ratio]]]:
    """(what, x, tallies) of each line of a row."""
    if table == COLD_START:
        return [("", [str(lead) for lead in LEADS], [found[f"AUROC at {lead}"] for lead in LEADS])]
    plain = [probe for probe in found if not probe.endswith(" mapped")]
    mapped = [probe for probe in found if probe.endswith(" mapped")]
    return [
        ("", plain, [found[probe] for probe in plain]),
        (", mapped", plain[: len(mapped)], [found[probe] for probe in mapped]),
    ]


def _saved(pyplot: Any, figure: Any, path: Path) -> str:
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path.name
