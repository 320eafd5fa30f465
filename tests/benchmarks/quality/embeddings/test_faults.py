"""Probes of incidents: kinds from few labels, and the nearest past incident elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.quality.embeddings.faults import incident_vectors, probe_incidents
from benchmarks.quality.embeddings.fleet import KnownIncidents
from tests.benchmarks.quality.embeddings.fleets import (
    NUM_KINDS,
    kind_vectors,
    machine_vectors,
    random_vectors,
    small_fleet,
)


def test_a_vector_that_names_the_kind_scores_one() -> None:
    """From one label, from five, and by the nearest past incident."""
    fleet = small_fleet()
    found = probe_incidents(kind_vectors(fleet), fleet)
    assert set(found) == {"one-shot", "five-shot", "retrieval"}
    assert all(one.value == pytest.approx(1.0) for one in found.values())


def test_a_random_vector_scores_chance() -> None:
    """One in four kinds."""
    fleet = small_fleet(num_rows=6_000)
    for one in probe_incidents(random_vectors(fleet), fleet).values():
        assert one.value == pytest.approx(1 / NUM_KINDS, abs=0.09)


def test_the_machine_is_no_help() -> None:
    """Neighbours and labels of the machine itself never count, so its name recognises nothing."""
    fleet = small_fleet()
    assert fleet.incidents is not None
    by_machine = replace(fleet.incidents, kind_I=fleet.incidents.machine_I)
    found = probe_incidents(machine_vectors(fleet), replace(fleet, incidents=by_machine))
    assert found["retrieval"].value == 0.0


def test_only_incidents_that_are_over_are_found() -> None:
    """A twin that comes later, or runs at the same time, is not the nearest past incident."""
    fleet = small_fleet(num_rows=1_000)
    starts = np.array([450, 500, 700, 710, 900])
    machines, kinds = np.array([0, 1, 2, 3, 1]), np.array([1, 1, 0, 0, 0])
    known = KnownIncidents(("a", "b"), machines, starts, starts + 30, kinds)
    fleet = replace(fleet, incidents=known)
    found = probe_incidents(kind_vectors(fleet), fleet)["retrieval"]
    assert found.weight_U.tolist() == [0.0, 1 / 3, 1 / 3, 1 / 3]
    assert found.gain_U.tolist() == [0.0, 1 / 3, 0.0, 0.0]


def test_an_incident_is_the_mean_of_its_rows_from_the_eighth_on() -> None:
    """Rows before that and after its end do not count."""
    fleet = small_fleet()
    known = fleet.incidents
    assert known is not None
    vectors = random_vectors(fleet)
    k, start, stop = known.machine_I[5], known.start_I[5], known.stop_I[5]
    mean = vectors[start + 8 : stop, k].mean(axis=0)
    expected = mean / np.linalg.norm(mean)
    np.testing.assert_allclose(incident_vectors(vectors, known)[5], expected, rtol=1e-5)


def test_a_stream_without_known_incidents_has_no_such_probe() -> None:
    """Public sets name no kinds."""
    fleet = replace(small_fleet(), incidents=None)
    assert probe_incidents(random_vectors(fleet), fleet) == {}
