"""`docs/reliability.md`, written from what was measured and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.chaos.results import Result

HEAD = """\
# Reliability

What production does to a daemon, done on purpose, on a real Kafka. Results are counted by a plain
`read_committed` consumer: ids in `<app>.scores` and origins in `<app>.dlq` against the messages
that the broker acknowledged to the producer. A row is what one run of its stage measured; what is
not here has not been measured.

`make chaos` runs the long form and goes on where an earlier run ended; `make chaos STAGE=kills`
runs the stages of that name; `make chaos FORM=short` runs what `make test` runs. Each scenario is
a function in `benchmarks/chaos/`, whose docstring says what must hold.

| form | done | what had to hold: what was measured | minutes | command |
| --- | --- | --- | --- | --- |
"""


def page(results: Sequence[Result]) -> str:
    """The whole page."""
    return HEAD + "".join(map(_row, results))


def _row(result: Result) -> str:
    told = [
        f"{'' if promise.held else '**BROKEN** '}{promise.text}: {promise.measured}"
        for promise in result.outcome.promises
    ]
    cells = [
        result.form,
        result.outcome.did,
        "<br>".join(told),
        f"{result.seconds / 60:.1f}",
        f"`make chaos STAGE={result.stage}{' FORM=short' * (result.form == 'short')}`",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"
