"""The parts of the fault suite that decide: the count, the results, the page."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.chaos.auditor import Auditor
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.repeating import repeating
from benchmarks.chaos.report import page, write
from benchmarks.chaos.results import ResultStore, ScenarioResult
from benchmarks.chaos.scenarios import SCENARIOS, scenarios_named
from benchmarks.chaos.soak import PAGES_MB, _first_and_last, _slope
from benchmarks.chaos.source import Ledger
from benchmarks.chaos.vitals import Vitals, vitals
from benchmarks.chaos.worker import until


def counted(scored: dict[tuple[int, int], int], dead: dict[tuple[int, int], int]) -> Auditor:
    """An auditor that has read all of this; of the input, (0, 2) and (0, 3) are bad."""
    auditor = Auditor.__new__(Auditor)
    auditor.scored, auditor.dead = Counter(scored), Counter(dead)
    auditor.reasons, auditor._num_settled = {}, Counter()
    auditor._ledger = Ledger()
    auditor._ledger.kinds = {(0, 0): "", (0, 1): "", (0, 2): "cut off", (0, 3): "empty"}
    return auditor


def test_only_one_result_of_the_right_kind_each_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost, repeated, foreign and misjudged messages are each seen."""
    monkeypatch.setattr(Auditor, "_at_end", lambda _: True)
    good, bad = {(0, 0): 1, (0, 1): 1}, {(0, 2): 1, (0, 3): 1}
    assert counted(good, bad).verdict().exact
    assert counted({(0, 0): 1}, bad).verdict().lost == 1
    assert counted(good | {(0, 0): 3}, bad).verdict().repeated == 2
    assert counted(good | {(9, 9): 1}, bad).verdict().foreign == 1
    assert counted(good | {(0, 2): 1}, {(0, 3): 1}).verdict().misjudged == 1
    both = counted(good, bad | {(0, 0): 1}).verdict()
    assert (both.repeated, both.misjudged) == (1, 1)


def test_a_settled_message_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has its one right result is forgotten, and whatever else comes of it is foreign."""
    monkeypatch.setattr(Auditor, "_at_end", lambda _: True)
    auditor = counted({(0, 0): 1, (0, 1): 2}, {(0, 2): 1})
    auditor.settle()
    assert auditor._ledger.kinds == {(0, 1): "", (0, 3): "empty"}
    assert (auditor.num_results(), auditor.num_seen()) == (4, 3)
    auditor.dead.update([(0, 0), (0, 3)])
    told = "4 in: 2 scored, 2 dead letters; 0 lost, 1 repeated, 1 foreign"
    assert str(auditor.verdict()) == told


def test_what_was_deleted_unread_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted by itself, unless it was read in time."""
    monkeypatch.setattr(Auditor, "_at_end", lambda _: True)
    auditor = counted({(0, 1): 1}, {(0, 2): 1, (0, 3): 1})
    auditor._ledger.expired = {(0, 0), (0, 1)}
    verdict = auditor.verdict()
    assert (verdict.exact, verdict.unread) == (True, 1)


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
