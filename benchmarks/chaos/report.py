"""`docs/reliability.md`, written from what was measured and from nothing else."""

from __future__ import annotations

from pathlib import Path

from benchmarks.chaos.forms import FORMS
from benchmarks.chaos.results import ScenarioResult
from benchmarks.chaos.scenarios import SCENARIOS

HEAD = """\
# Reliability

What production does to a daemon, done on purpose, on a real Kafka. Results are counted by a plain
`read_committed` consumer: ids in `<app>.scores` and origins in `<app>.dlq` against the messages
that the broker acknowledged to the producer. A row is what one run of its scenario measured; what
is not here has not been measured.

`make chaos` runs the long form and goes on where an earlier run ended; `make chaos STAGE=kills`
runs the scenarios of that name; `make test` runs the short form, and `make chaos FORM=short` writes
here what that measured, and runs what it did not. Each scenario is a function in
`benchmarks/chaos/`, whose docstring says what must hold.

| form | done | what had to hold: what was measured | minutes | command |
| --- | --- | --- | --- | --- |
"""


def write(result: ScenarioResult, path: Path) -> None:
    """Put a result in the place of its scenario's earlier one; the page's other rows stay."""
    before = path.read_text() if path.exists() else ""
    path.write_text(page(result, before))


def page(result: ScenarioResult, before: str) -> str:
    """The page with one more result."""
    rows = {_command_in(line): f"{line}\n" for line in before.splitlines()}
    rows[_command(result.scenario, result.form)] = _row(result)
    commands = (_command(scenario, form) for scenario in SCENARIOS for form in FORMS)
    return HEAD + "".join(rows.get(command, "") for command in commands)


def _command(scenario: str, form: str) -> str:
    return f"make chaos STAGE={scenario}{' FORM=short' * (form == 'short')}"


def _command_in(row: str) -> str:
    """A row's last cell; something that is no command in any other line."""
    return row.removesuffix("` |").rpartition("`")[2]


def _row(result: ScenarioResult) -> str:
    told = [
        f"{'' if promise.held else '**BROKEN** '}{promise.text}: {promise.measured}"
        for promise in result.outcome.promises
    ]
    cells = [
        result.form,
        result.outcome.did,
        "<br>".join(told),
        f"{result.seconds / 60:.1f}",
        f"`{_command(result.scenario, result.form)}`",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"
