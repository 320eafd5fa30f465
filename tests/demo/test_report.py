"""The arithmetic of the report, on outcomes made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamssl.demo.incidents import Incident, IncidentBook, evaluate
from streamssl.demo.report import make_report
from streamssl.demo.script import InjectedFault
from streamssl.devkit.delivery import DeliveryLog

FAULT = InjectedFault("pump-1", "flow", "drift", 100.0, 104.0)
KEYS = [
    "broker",
    "events_produced",
    "events_scored",
    "events_lost",
    "events_duplicated",
    "dead_letters",
    "learn_steps",
    "latency_p50_s",
    "latency_p99_s",
    "events_per_s",
    "faults_injected",
    "faults_detected",
    "top_field_correct",
    "false_incidents",
]


def incident(start: float, last: float, key: str = "pump-1", top: str = "flow") -> Incident:
    return Incident(f"{key}@{start}", key, start, last, [top])


def reported(
    broker: str | None,
    log: DeliveryLog,
    book: IncidentBook,
    faults: list[InjectedFault],
    produced_until: float = 200.0,
) -> dict[str, object]:
    report = make_report(
        broker=broker,
        log=log,
        book=book,
        faults=faults,
        grace_s=3.0,
        learn_steps=17,
        produced_until=produced_until,
    )
    return {name: getattr(report, name) for name in report.__dataclass_fields__}


def test_lost_repeated_and_dead_events_are_counted_by_id() -> None:
    """Lost = produced without result or dead letter; repeats count beyond the first."""
    log = DeliveryLog()
    for partition in (0, 1):
        for offset in range(1_500):
            log.produced(partition, offset, 10.0)
    log.scored(0, range(1_500), 11.0)
    log.scored(0, [7, 7, 8], 11.5)
    log.scored(1, range(1_497), 12.0)
    log.dead_lettered(1, [1_497], 12.0)
    report = reported("kafka", log, IncidentBook(), [])
    assert (report["events_produced"], report["events_scored"]) == (3_000, 2_997)
    assert report["dead_letters"] == 1
    assert report["events_lost"] == 2
    assert report["events_duplicated"] == 3


@pytest.mark.parametrize(
    ("start", "last", "caught", "false"),
    [
        (100.0, 101.0, True, False),  # with the first event
        (104.0, 104.5, True, False),  # with the last event
        (106.9, 107.5, True, False),  # within the grace
        (107.1, 108.0, False, True),  # after it
        (95.0, 99.9, False, True),  # over before the fault
        (99.0, 101.0, False, False),  # open before it: overlaps, but did not catch it
    ],
)
def test_caught_and_false_follow_the_stated_windows(
    start: float, last: float, caught: bool, false: bool
) -> None:
    """Caught: opens within fault and grace. False: overlaps no fault with its grace."""
    evaluation = evaluate([FAULT], [incident(start, last)], grace_s=3.0)
    assert (evaluation.judgements[0].incident is not None) is caught
    assert (len(evaluation.false_incidents) == 1) is false


def test_incident_of_another_key_is_false_and_catches_nothing() -> None:
    """Faults and incidents meet by key."""
    evaluation = evaluate([FAULT], [incident(101.0, 102.0, key="pump-2")], grace_s=3.0)
    assert evaluation.judgements[0].incident is None
    assert [i.key for i in evaluation.false_incidents] == ["pump-2"]


def test_one_fault_is_caught_once_and_the_first_incident_names_the_field() -> None:
    """Further incidents of the same fault are neither catches nor false."""
    incidents = [incident(101.0, 102.0, top="rpm"), incident(103.0, 105.0, top="flow")]
    evaluation = evaluate([FAULT], incidents, grace_s=3.0)
    assert evaluation.judgements[0].incident == incidents[0]
    assert not evaluation.judgements[0].top_field_correct
    assert evaluation.false_incidents == ()


def test_incident_blames_what_its_first_eight_anomalies_blame_most() -> None:
    """Quiet events inside an incident have no vote, nor have those after the eighth anomaly."""
    book = IncidentBook()
    votes = ["rpm", *["flow"] * 4, *["rpm"] * 3, *["rpm"] * 50]
    assert book.add("i", "pump-1", 1.0, True, "flow") is not None
    for number, field in enumerate(votes):
        assert book.add("i", "pump-1", 2.0 + number, True, field) is None
        assert book.add("i", "pump-1", 2.5 + number, False, "torque") is None
    (only,) = book.incidents()
    assert only.top_field == "flow"
    assert (only.start, only.last) == (1.0, 2.0 + len(votes) - 1)


def made_report(broker: str | None, produced_until: float = 200.0) -> dict[str, object]:
    log, book = DeliveryLog(), IncidentBook()
    for offset in range(10):
        log.produced(0, offset, 50.0 + offset)
    log.scored(0, range(10), 60.0)
    book.add("a", "pump-1", 100.5, True, "flow")
    book.add("b", "pump-1", 150.0, True, "flow")
    later = InjectedFault("pump-2", "rpm", "stuck", 110.0, 111.0)
    return reported(broker, log, book, [FAULT, later], produced_until)


def test_report_has_exactly_the_promised_keys(tmp_path: Path) -> None:
    """The JSON file holds the promised keys, in order, with the right figures."""
    report = make_report(
        broker="kafka",
        log=DeliveryLog(),
        book=IncidentBook(),
        faults=[],
        grace_s=3.0,
        learn_steps=0,
        produced_until=0.0,
    )
    report.write(tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text())
    assert list(written) == KEYS
    assert written["latency_p50_s"] is None
    assert written["events_lost"] == 0


def test_report_counts_faults_and_speed() -> None:
    """Two faults, one caught with the right field, one false incident, 10 events in 10 s."""
    report = made_report("kafka")
    assert report["faults_injected"] == 2
    assert report["faults_detected"] == 1
    assert report["top_field_correct"] == 1
    assert report["false_incidents"] == 1
    assert report["events_per_s"] == pytest.approx(1.0)
    assert report["latency_p50_s"] == pytest.approx(5.5)
    assert report["learn_steps"] == 17


def test_fault_that_was_cut_off_is_not_counted() -> None:
    """A run that is stopped early is judged by the faults that it finished."""
    report = made_report("kafka", produced_until=110.5)
    assert report["faults_injected"] == 1


def test_without_a_broker_its_figures_are_null() -> None:
    """The in-memory transport cannot prove what only a broker can."""
    report = made_report(None)
    for name in ("broker", "events_lost", "events_duplicated", "latency_p50_s", "latency_p99_s"):
        assert report[name] is None
    assert report["events_scored"] == 10
