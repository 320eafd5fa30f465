"""Bars and the page: ratios within one run, and nothing made up where nothing was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speed.bars import JSON, PACKED, QUIX, judge
from benchmarks.speed.page import complete, render
from benchmarks.speed.results import (
    CheckpointCost,
    Keys,
    KeysRow,
    Latency,
    Quantiles,
    Rate,
    Rates,
    StageTimes,
)
from benchmarks.speed.run import UnknownPartError, parse_parts
from benchmarks.speed.stages import stage_rows
from benchmarks.speed.store import Origin, Store
from tests.benchmarks.speed.scrapes import MACHINE
from tests.benchmarks.speed.test_stages import BROKER_S, WINDOW


def rate(id_: str, per_s: float, *, counted: int = 10) -> Rate:
    """A row that was counted by the reader."""
    trained = 0.25 if id_.startswith("ours") else None
    return Rate(
        id=id_,
        name=id_,
        events=int(per_s),
        seconds=1.0,
        counted=counted,
        expected=10,
        trained_per_event=trained,
        learnt_per_event=trained,
    )


def origin(*, build: str = "b", events: int = 10) -> Origin:
    """How a part came about."""
    return Origin(
        command="c",
        events=events,
        at="2000-01-01 00:00",
        build=build,
        versions="Python 3",
        load_before=0.0,
        seconds=1.0,
    )


LATENCY = Latency(
    offered_per_s=10.0,
    of_per_s=20.0,
    seconds=60.0,
    quantiles=[Quantiles(name="all events", events=600, p50_ms=90.0, p99_ms=260.0, max_ms=280.0)],
    lighter=[Quantiles(name="a quarter", events=300, p50_ms=45.0, p99_ms=130.0, max_ms=140.0)],
    checkpoints=5,
    steps=200,
    counted=600,
    expected=600,
)
KEYS = Keys(
    rows=[
        KeysRow(keys=10, seconds_per_event=1e-4, stated_bytes=7, measured_bytes=None),
        KeysRow(keys=100_000, seconds_per_event=1.3e-4, stated_bytes=7, measured_bytes=14.0),
    ],
    checkpoint=CheckpointCost(keys=100_000, copy_s=1.0, save_s=2.0, num_bytes=10**9),
)
STAGES = StageTimes(
    machine=MACHINE, rows=stage_rows(WINDOW, {}, MACHINE, BROKER_S), events_per_s=1.0
)
KAFKA = Rates(rows=[rate(JSON, 2_600.0), rate(PACKED, 5_000.0), rate(QUIX, 2_000.0)])
PARTS = {
    "stages": STAGES,
    "kafka": KAFKA,
    "memory": Rates(rows=[rate("default-38", 10.0)], operations={"default-38": 1e5}),
    "latency": LATENCY,
    "keys": KEYS,
}


def test_a_bar_is_a_ratio_of_two_rows_of_the_run() -> None:
    """1.3 times the peer passes, 2.5 times where 3 are asked fails, the rest is not measured."""
    verdicts = {verdict.bar: verdict for verdict in judge(PARTS)}
    assert [v.passed for bar, v in verdicts.items() if "1.3" in bar] == [True]
    assert [v.passed for bar, v in verdicts.items() if "packed: ≥ 3" in bar] == [False]
    assert [v.passed for bar, v in verdicts.items() if "0.6" in bar] == [None]
    assert [v.passed for bar, v in verdicts.items() if "p50" in bar] == [True]
    assert [v.passed for bar, v in verdicts.items() if "p99" in bar] == [False]
    assert [v.passed for bar, v in verdicts.items() if "flat" in bar] == [True]


def test_a_row_that_lost_events_passes_no_bar() -> None:
    """Fast but incomplete is a failure, and the table says so."""
    rows = [rate(JSON, 9_000.0, counted=9), rate(QUIX, 2_000.0)]
    verdicts = judge({"kafka": Rates(rows=rows)})
    assert not any(verdict.passed for verdict in verdicts if "1.3" in verdict.bar)
    assert "**9 of 10**" in render("c", {"kafka": Rates(rows=rows)}, {})


def test_a_row_with_one_event_lost_and_one_doubled_passes_no_bar() -> None:
    """As many results as events are not enough; the table says what is wrong."""
    row = rate(JSON, 9_000.0)
    row.inexact = "10 in: 9 scored, 0 dead letters; 1 lost, 1 repeated, 0 foreign"
    part = Rates(rows=[row, rate(QUIX, 2_000.0)])
    assert not any(verdict.passed for verdict in judge({"kafka": part}) if "1.3" in verdict.bar)
    assert f"**{row.inexact}**" in render("c", {"kafka": part}, {})


def test_nothing_is_made_up_where_nothing_was_measured() -> None:
    """A page without parts has no figure but those of its notes, and says how to get each."""
    page = render("streamssl bench speed", {}, {})
    assert page.count("Not measured: `streamssl bench speed --parts") == 5
    assert "pass" not in page.replace("pass over", "")
    assert "Not one complete run" in page


def test_the_whole_page_comes_from_kept_parts(tmp_path: Path) -> None:
    """Parts survive the way to JSON and back; every section is there, and what was left out."""
    store = Store(tmp_path)
    for name, part in PARTS.items():
        store.keep(name, part, origin())
    KAFKA.left_out.append("no peers")
    store.keep("kafka", KAFKA, origin())
    page = render("c", store.parts(), store.origins())
    assert complete(store.origins())
    assert "Not one complete run" not in page
    for text in (
        "| score |",
        "*Left out:* no peers",
        "half of 20",
        "| a quarter |",
        "1,000 MB",
        "1.30",
    ):
        assert text in page


def test_the_published_page_comes_from_the_parts_beside_it() -> None:
    """It can be written again without measuring: parts in `docs/performance/`, notes by hand."""
    docs = Path(__file__).parents[3] / "docs"
    store = Store(docs / "performance")
    page = (docs / "performance.md").read_text("utf-8")
    command = page.splitlines()[2].strip("`")
    assert page == render(command, store.parts(), store.origins())
    assert "## The librdkafka client" in page


def test_parts_of_different_builds_are_not_one_run() -> None:
    """The page says when figures of different sources or sizes stand beside one another."""
    mixed = dict.fromkeys(PARTS, origin()) | {"keys": origin(build="other")}
    assert not complete(mixed)
    assert not complete(dict.fromkeys(PARTS, origin()) | {"keys": origin(events=11)})


def test_an_unknown_part_is_refused_with_the_known_ones() -> None:
    """The error lists what there is."""
    with pytest.raises(UnknownPartError, match="'kafak'; there are: stages, kafka, memory"):
        parse_parts("memory,kafak")
