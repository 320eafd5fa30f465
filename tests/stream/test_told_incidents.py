"""What a learner tells of incidents: from the first row to the end, and over every restart."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamssl.data.events import EventBatch, Schema
from streamssl.data.results import Decisions, Results
from streamssl.stream import StreamLearner
from tests.stream.runs import assert_same, run_cut
from tests.stream.streams import batch_of, small_learner

GAP, FAULT_EVERY = 4, 90
Record = dict[str, Any]


def faults(
    num_rows: int = 2_000, *, num_keys: int = 2, num_partitions: int = 2, length: int = 12
) -> EventBatch:
    """Noise of three channels; every 90 rows one of them, in turn, is off for a few rows."""
    values = np.random.default_rng(4).normal(size=(num_rows, 3))
    for begin in range(600, num_rows, FAULT_EVERY):
        rows = slice(begin, begin + length * num_keys)
        values[rows, (begin // FAULT_EVERY) % 3] += 30.0
    return batch_of(values, np.arange(num_rows) % num_keys, num_partitions)


def records(results: Results, **wanted: str) -> list[Record]:
    """Records with such values."""
    told = results.told_incidents()
    return [r for r in told if all(r[name] == value for name, value in wanted.items())]


@cache
def whole() -> Results:
    """The reference run, in one piece."""
    return small_learner().process(faults())


def past(learner: StreamLearner) -> list[str]:
    """Ids of the incidents that a learner remembers."""
    assert learner._model is not None
    return learner._model.ensemble.past.table.incident_id


def test_every_incident_has_a_start_and_an_end_by_quiet_rows() -> None:
    """As many rows after the last anomaly as end it, with its length, peak, fields and time."""
    results = whole()
    ends = {r["incident_id"]: r for r in records(results, kind="end", incident_state="end")}
    starts = records(results, kind="start")
    assert len(starts) > 20
    assert {r["incident_id"] for r in starts} - ends.keys() <= {starts[-1]["incident_id"]}
    ids, offsets = results.batch.ids(), results.batch.event_time
    of = np.array([name or "" for name in results.incident_id])
    for name, end in ends.items():
        rows = np.flatnonzero(of == name)
        odd = rows[results.anomaly[rows]]
        assert (end["rows"], end["anomalies"]) == (len(rows), len(odd))
        assert end["rows"] == 1 + list(rows).index(odd[-1]) + GAP
        assert end["id"] == ids[rows[-1]]
        assert (end["start_time"], end["last_time"]) == (offsets[rows[0]], offsets[odd[-1]])
        assert end["duration_s"] == end["last_time"] - end["start_time"]
        assert end["peak_p_value"] == results.p_value[odd].min()
        assert end["peak_score"] == 1.0 - end["peak_p_value"]
        explained = np.isin(results.explained, odd)
        shares_P = results.explanation.attribution_AP[explained].mean(0)
        np.testing.assert_allclose(
            [end["fields"][part] for part in results.parts], shares_P, atol=1e-6
        )
        assert [*end["fields"].values()] == sorted(end["fields"].values(), reverse=True)
        mean_D = results.embedding_BD[rows].astype(np.float64).mean(0)
        spaces = {record["space"] for record in records(results, incident_id=name)}
        if end["vector"] is not None and spaces == {results.space}:
            np.testing.assert_allclose(end["vector"], mean_D[32:64], atol=1e-4)  # `fault`


def test_neighbours_are_past_incidents_and_come_with_the_vector() -> None:
    """From the eighth row on: finished in an earlier epoch, of the same space, never itself."""
    results = whole()
    space_of = {r["incident_id"]: r["space"] for r in records(results, kind="end")}
    begun = [r["incident_id"] for r in records(results, kind="start")]
    for record in records(results):
        near = record["neighbours"]
        assert (record["vector"] is None) == (record["rows"] < 8)
        assert record["vector"] is not None or near == []
        names = [r["incident_id"] for r in near]
        assert record["incident_id"] not in names
        assert len(set(names)) == len(names) <= 3
        assert all(space_of[name] == record["space"] for name in names)
        assert all(begun.index(n) < begun.index(record["incident_id"]) for n in names)
        assert [r["similarity"] for r in near] == sorted(
            (r["similarity"] for r in near), reverse=True
        )
    last = records(results, kind="end")[-10:]
    assert all(len(record["neighbours"]) == 3 for record in last)
    alike = [r["neighbours"][0]["incident_field"] == r["incident_field"] for r in last]
    assert np.mean(alike) > 0.5  # By chance a third.


def test_no_cut_shows_in_what_is_told() -> None:
    """Records and remembered incidents follow from the events alone."""
    learner = small_learner()
    results = run_cut(learner, faults(), [64, 17, 5, 90])
    assert_same(results, whole())
    ended = {r["incident_id"] for r in records(whole(), kind="end")}
    assert len(ended) > len(past(learner)) > 20
    assert set(past(learner)) < ended
    first, ids = results.take(slice(0, 900)), results.batch.ids()[:900]
    assert first.told_incidents() == [r for r in records(results) if r["id"] in ids]


@pytest.mark.parametrize("at", [640, 704, 768, 832])
def test_a_restart_in_the_middle_changes_no_bit(at: int, tmp_path: Path) -> None:
    """Lengths, sums and remembered incidents are in the checkpoint."""
    learner, batch = small_learner(), faults(1_100)
    learner.process(batch.take(slice(0, at)))
    learner.save(tmp_path)
    assert learner.num_open_events == 0
    resumed = small_learner()
    resumed.load(tmp_path)
    rest = batch.take(slice(at, None))
    one, other = learner.process(rest), resumed.process(rest)
    assert_same(one, other)
    assert past(learner) == past(resumed)
    assert one.told_incidents()


def test_without_networks_incidents_have_no_vector_and_no_neighbours() -> None:
    """All else is told and remembered."""
    learner = small_learner(
        learner={"enabled": False},
        scorers={"memory": {"enabled": False}, "residual": {"enabled": False}},
        outputs={"embeddings": {"enabled": False}},
        alerts={"neighbours": 0},
    )
    results = learner.process(faults(1_100))
    ends = records(results, kind="end")
    assert len(ends) > 3
    assert all(r["vector"] is None and r["neighbours"] == [] for r in records(results))
    assert set(past(learner)) <= {r["incident_id"] for r in ends}
    assert len(past(learner)) > 3


def test_looking_ahead_tells_and_keeps_nothing() -> None:
    """`score` says what would be told next and leaves the incident where it was."""
    learner, batch = small_learner(), faults(1_100)
    learner.process(batch.take(slice(0, 962)))
    learner.close_epoch(Decisions("clock"))
    probe = batch.take(slice(962, 992))
    first = learner.score(probe)
    assert first.told_incidents() == learner.score(probe).told_incidents() != []
    assert learner.advance(probe).told_incidents() == first.told_incidents()


def test_an_incident_of_a_partition_that_leaves_has_no_end() -> None:
    """Whoever has the partition now begins anew; nothing of the incident is remembered."""
    learner, batch = small_learner(), faults(1_100)
    learner.process(batch.take(slice(0, 940)))
    begun = records(learner.advance(batch.take(slice(940, 970))), key="k0")
    assert [r["kind"] for r in begun] == ["start"]
    gone = batch.partition == 0
    learner.discard(0, 470)
    learner.rebuild(0, batch.take(np.flatnonzero(gone & (batch.offset < 470))))
    rest = np.flatnonzero((gone & (batch.offset >= 470)) | (batch.offset >= 485))
    results = learner.process(batch.take(rest))
    assert {r["key"] for r in records(results, kind="end")} == {"k1"}
    assert begun[0]["incident_id"] not in past(learner)


def test_rows_that_were_never_committed_leave_no_incident() -> None:
    """An incident that ended in them is not remembered."""
    with_extra, without, batch = small_learner(), small_learner(), faults(1_100)
    for learner in (with_extra, without):
        learner.process(batch.take(slice(0, 933)))
        learner.advance(batch.take(np.arange(934, 970, 2)))
    assert records(with_extra.advance(batch.take(np.arange(933, 1_000, 2))), kind="end")
    with_extra.discard(1, 466)
    for learner in (with_extra, without):
        learner.close_epoch(Decisions("clock"))
        learner.rebuild(1, None)
    assert past(with_extra) == past(without)


def test_an_evicted_key_takes_its_open_incident_with_it() -> None:
    """Its slot begins anew with the next key: no length, no sum, no end of the other's."""
    learner = small_learner(modality={"max_keys": 2})
    batch = faults(1_000, num_keys=2, num_partitions=1)
    learner.process(batch.take(slice(0, 970)))
    learner.close_epoch(Decisions("clock"))
    open_ids = {r["incident_id"] for r in records(learner.score(batch.take(slice(970, 980))))}
    values = np.random.default_rng(1).normal(size=(1_500, 3))
    values[1_200:1_224] += 40.0
    others = batch_of(values, 7 + np.arange(1_500) % 2)
    results = learner.process(others)
    assert open_ids
    assert not open_ids & {r["incident_id"] for r in records(results)}
    (first, *_), rows = records(results, kind="start"), results.batch.ids()
    assert first["start_time"] == results.batch.event_time[rows.index(first["id"])]
    assert (first["rows"], first["anomalies"]) == (1, 1)


def test_what_was_learnt_elsewhere_names_its_incidents() -> None:
    """`--init-from`: incidents of the other stream are neighbours; none of them goes on."""
    learner = small_learner()
    learner.process(faults())
    known = past(learner)
    learner.carry_keys()
    assert past(learner) == known
    values = faults().values_BC[:1_400]
    later = batch_of(values, np.arange(1_400) % 2, 1)
    results = learner.process(later)
    assert records(results)[0]["kind"] == "start"
    assert {n["incident_id"] for r in records(results) for n in r["neighbours"]} & set(known)


def test_states_without_incidents_are_taken_over() -> None:
    """An older checkpoint: of an incident that was open the story begins where it is loaded."""
    learner, batch = small_learner(), faults(1_100)
    learner.process(batch.take(slice(0, 970)))
    learner.close_epoch(Decisions("clock"))
    state = learner.state_dict()
    for name in ("stories", "sums", "past"):
        del state["model"]["ensemble"][name]
    older = small_learner()
    older.load_state_dict(state)
    rest = batch.take(slice(970, None))
    one, other = learner.process(rest), older.process(rest)
    np.testing.assert_array_equal(one.p_value, other.p_value)
    assert one.incident_id == other.incident_id
    ends = records(one, kind="end"), records(other, kind="end")
    assert [r["id"] for r in ends[0]] == [r["id"] for r in ends[1]]
    assert ends[0][0]["rows"] > ends[1][0]["rows"] > 0
    assert ends[0][-1]["rows"] == ends[1][-1]["rows"]


def test_changed_channels_leave_an_open_incident_its_length() -> None:
    """Its vector and shares begin anew, and what was remembered is of another space."""
    learner, batch = small_learner(), faults(1_100)
    learner.process(batch.take(slice(0, 970)))
    learner.close_epoch(Decisions("clock"))
    stories = learner._model.ensemble.stories.columns["counts"][:, 0]  # type: ignore[union-attr]
    held = stories.copy()
    learner.migrate(Schema(("c0", "c1")))
    assert learner._model is not None
    ensemble = learner._model.ensemble
    np.testing.assert_array_equal(ensemble.stories.columns["counts"][:, 0], held)
    assert held.any()
    assert not ensemble.sums.columns["num"].any()
    assert past(learner) == []


def test_as_many_incidents_are_kept_as_is_said() -> None:
    """`alerts.incidents_kept`: the newest; with none kept nobody has neighbours."""
    few = small_learner(alerts={"incidents_kept": 2})
    few.process(faults())
    plain = small_learner()
    plain.process(faults())
    assert past(few) == past(plain)[-2:]
    none = small_learner(alerts={"incidents_kept": 0}).process(faults())
    assert all(r["neighbours"] == [] for r in records(none))
