"""The tables of the section "Embeddings", in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from benchmarks.quality.embeddings.protocol import Probed
from benchmarks.quality.embeddings.tally import Ratio, merged, paired_gain
from benchmarks.quality.tables import NONE, markdown_table, number

OURS, UNTRAINED = "streamssl", "streamssl, untrained"
Figures = Mapping[str, Mapping[str, Ratio]]


def figures(probed: Iterable[Probed], table: str, stream: str) -> Figures:
    """By row and probe, the seeds' tallies as one."""
    groups: dict[str, dict[str, list[Ratio]]] = {}
    for one in probed:
        if (one.table, one.stream) == (table, stream):
            groups.setdefault(one.row, {}).setdefault(one.probe, []).append(one.found)
    return {
        row: {probe: merged(tallies) for probe, tallies in found.items()}
        for row, found in groups.items()
    }


def figures_table(rows: Figures) -> str:
    """One row a vector, one column a probe: value ± standard error over machines."""
    probes = _probes(rows)
    lines = [[row, *(_cell(found.get(probe)) for probe in probes)] for row, found in rows.items()]
    return markdown_table(["", *probes], lines) if lines else ""


def turned_table(rows: Figures) -> str:
    """The same with one row a probe: for probes that are many."""
    lines = [
        [probe, *(_cell(found.get(probe)) for found in rows.values())] for probe in _probes(rows)
    ]
    return markdown_table(["", *rows], lines) if lines else ""


def gains_table(rows: Figures) -> str:
    """How much ours is ahead of each other row, paired by machine; beyond 2 SE in bold."""
    if OURS not in rows or len(rows) < 2:
        return ""
    probes = _probes(rows)
    lines = [
        [f"against {row}", *(_gain(rows[OURS].get(probe), found.get(probe)) for probe in probes)]
        for row, found in rows.items()
        if row != OURS
    ]
    return markdown_table([OURS, *probes], lines)


def _probes(rows: Figures) -> list[str]:
    return list(dict.fromkeys(probe for found in rows.values() for probe in found))


def _cell(found: Ratio | None) -> str:
    if found is None or np.isnan(found.value):
        return NONE
    error = "" if np.isnan(found.error) else f" ± {number(found.error)}"
    return f"{_signed(found.value)}{error}"


def _gain(ours: Ratio | None, theirs: Ratio | None) -> str:
    if ours is None or theirs is None or np.isnan(ours.value) or np.isnan(theirs.value):
        return NONE
    gain, error = paired_gain(ours, theirs)
    shown = f"{gain:+.3f} ± {number(error)}"
    return f"**{shown}**" if abs(gain) > 2 * error else shown


def _signed(value: float) -> str:
    return f"-{number(-value)}" if value < 0 else number(value)


def streams(probed: Sequence[Probed], table: str) -> list[str]:
    """Names of the streams that a table has, in the order of the run."""
    return list(dict.fromkeys(one.stream for one in probed if one.table == table))
