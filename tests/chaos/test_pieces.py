"""The parts of the fault suite that decide: the count, the results, the page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.chaos import auditor
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.repeating import repeating
from benchmarks.chaos.report import page, write
from benchmarks.chaos.results import ResultStore, ScenarioResult
from benchmarks.chaos.scenarios import SCENARIOS, scenarios_named
from benchmarks.chaos.soak import PAGES_MB, _first_and_last, _slope
from benchmarks.chaos.vitals import Vitals, vitals
from benchmarks.chaos.worker import until
from streamssl.devkit.delivery import InputLog


def test_an_auditor_sees_what_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores and dead letters of a partition are in order each, and the reasons are kept."""
    monkeypatch.setattr(auditor, "_open", lambda *_: None)
    audit = auditor.Auditor("", "app", "plant", InputLog())
    for offset in range(5):
        audit.counter.inputs.acknowledge(1, offset, readable=offset != 2)
    headers = [("origin_partition", b"1"), ("origin_offset", b"2"), ("reason", b"empty")]
    audit._note([SimpleNamespace(headers=headers)], are_scores=False)
    for offsets in ((0, 3), (1, 4)):
        scores = [SimpleNamespace(value=b'{"id": "plant/1/%d/0"}' % offset) for offset in offsets]
        audit._note(scores, are_scores=True)
    assert audit.counter.tally().exact
    assert audit.num_disordered == 1
    assert audit.reasons == {(1, 2): "empty"}


def test_results_come_back_and_broken_ones_show(tmp_path: Path) -> None:
    """A finished scenario is kept as it was; the page says what was run, and what was broken."""
    results, outcome = ResultStore(tmp_path), ScenarioOutcome("5 kills")
    outcome.expect("none lost", True, "0 lost")
    outcome.expect("none | repeated", False, "3 repeated")
    results.put(ScenarioResult("kills-random", "short", 90.0, outcome))
    found = results.get("short", "kills-random")
    assert found is not None
    assert found.outcome == outcome
    assert results.get("long", "kills-random") is None
    assert found.outcome.broken() == ["none | repeated: 3 repeated"]
    row = page(found, "").splitlines()[-1]
    assert row == (
        "| short | 5 kills | none lost: 0 lost<br>**BROKEN** none \\| repeated: 3 repeated | 1.5 | "
        "`make chaos STAGE=kills-random FORM=short` |"
    )


def test_a_page_keeps_the_rows_of_other_scenarios(tmp_path: Path) -> None:
    """A scenario that was run again has its new row, those that were not have theirs."""
    path = tmp_path / "page.md"
    for scenario, form, did in (
        ("soak", "long", "30 min"),
        ("kills-random", "long", "100 kills"),
        ("kills-random", "short", "5 kills"),
        ("kills-random", "long", "101 kills"),
    ):
        write(ScenarioResult(scenario, form, 60.0, ScenarioOutcome(did)), path)
    rows = path.read_text().splitlines()[-3:]
    assert [row.split(" | ")[1] for row in rows] == ["5 kills", "101 kills", "30 min"]


def test_a_scenario_is_named_by_itself_or_by_its_first_word() -> None:
    """`STAGE=kills` means all of them; a wrong name lists the right ones."""
    assert scenarios_named("") == list(SCENARIOS)
    assert scenarios_named("kills") == ["kills-random", "kills-moments", "kills-at-least-once"]
    assert scenarios_named("kills-random") == ["kills-random"]
    with pytest.raises(ValueError, match="there are kills-random"):
        scenarios_named("kill")


@pytest.mark.parametrize(("mb_a_minute", "leaks"), [(0.0, False), (60.0, True)])
def test_a_leak_is_told_from_noise(mb_a_minute: float, leaks: bool) -> None:
    """Memory that wobbles does not leak; memory that climbs does."""
    held = [300 + mb_a_minute * s / 60 + (s % 7) for s in range(60)]
    slope, error, grew = _slope([Vitals(s, mb, 0, 9, 9, 2) for s, mb in enumerate(held)])
    assert (slope > 3 * error and grew > PAGES_MB) is leaks


def test_what_is_open_for_a_moment_is_no_leak() -> None:
    """A file that stays open is one; one that a checkpoint has open while it is written is not."""
    held = [27] * 50
    assert _first_and_last([27, 27, 29, *held, 29, 27]) == (27, 27)
    assert _first_and_last([*held, *[28] * 20]) == (27, 28)


def test_what_a_process_started_is_measured_with_it() -> None:
    """The engine's figures include the learner's, a child of it."""
    child = "import sys; block = b'x' * 50_000_000; print(flush=True); sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", parent], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = vitals(process.pid)
        process.communicate()
    assert found.processes == 2
    assert found.memory_mb > 50
    assert min(found.cpu_s, found.files, found.threads) > 0


def test_what_fails_beside_a_scenario_is_told() -> None:
    """It goes on until the body has ended, and an error in it does not stay hidden."""
    turns: list[int] = []
    with repeating(lambda: turns.append(1)):
        assert until(lambda: len(turns) > 2, 5.0)
    with pytest.raises(ZeroDivisionError), repeating(lambda: 1 // 0):
        pass
