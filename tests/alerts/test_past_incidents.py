"""The nearest past incidents: by the cosine, of the same space, never the incident itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.alerts.past_incidents import PastIncidents
from streamssl.data.incident_records import COUNTS, NUMBERS, IncidentTable

PARTS = ("rpm", "heat")
SIZE = 5


def incidents(names: list[str], seed: int = 0, space: str = "s") -> IncidentTable:
    """Incidents of these names with vectors at random."""
    rng, num = np.random.default_rng(seed), len(names)
    vector_MV = rng.normal(size=(num, SIZE))
    vector_MV /= np.linalg.norm(vector_MV, axis=1, keepdims=True)
    return IncidentTable(
        incident_id=names,
        key=[f"key of {name}" for name in names],
        space=[space] * num,
        counts_MX=np.tile([40, 9, 2, 1], (num, 1))[:, : len(COUNTS)],
        numbers_MX=np.tile(np.arange(float(num))[:, None], (1, len(NUMBERS))),
        shares_MP=np.full((num, len(PARTS)), 0.5, np.float32),
        vector_MV=vector_MV.astype(np.float32),
    )


def past(table: IncidentTable, capacity: int = 100) -> PastIncidents:
    """A store that holds the incidents."""
    store = PastIncidents(num_parts=len(PARTS), columns=slice(0, SIZE), capacity=capacity)
    store.learn(table)
    return store


def ids(found: list[list[dict[str, Any]]]) -> list[list[str]]:
    return [[near["incident_id"] for near in row] for row in found]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), num=st.integers(0, 40), count=st.integers(0, 9))
def test_the_nearest_are_those_of_all_cosines(seed: int, num: int, count: int) -> None:
    """Nearest first, as many as are wanted or there are; one incident's do not depend on others."""
    known, asked = incidents([f"p{n}" for n in range(num)], seed), incidents(["a", "b"], seed + 1)
    store = past(known)
    found = store.nearest(asked, PARTS, count)
    for i in range(2):
        cosine_M = known.vector_MV.astype(float) @ asked.vector_MV[i].astype(float)
        order = np.argsort(-cosine_M, kind="stable")[:count].tolist()
        assert ids(found)[i] == [f"p{m}" for m in order]
        np.testing.assert_allclose([near["similarity"] for near in found[i]], cosine_M[order])
        assert store.nearest(asked.take(slice(i, i + 1)), PARTS, count) == [found[i]]


def test_a_neighbour_is_named_with_what_an_operator_asks_first() -> None:
    """Which incident, of which machine, when, and what it was about."""
    (near,) = past(incidents(["old"])).nearest(incidents(["old"], space="s"), PARTS, 3)
    assert near == []  # itself
    ((found,),) = past(incidents(["old"])).nearest(incidents(["new"]), PARTS, 3)
    assert found.pop("similarity") == pytest.approx(1.0)
    assert found == {
        "incident_id": "old",
        "key": "key of old",
        "start_time": 0.0,
        "incident_field": "heat",
    }


def test_of_equally_near_ones_the_oldest_comes_first() -> None:
    """Ties are decided by age, not by chance."""
    twins = incidents(["a", "b", "c"])
    twins = replace(twins, vector_MV=np.tile(twins.vector_MV[:1], (3, 1)))
    assert ids(past(twins).nearest(incidents(["x"], 5), PARTS, 2)) == [["a", "b"]]


def test_itself_takes_nobodys_place() -> None:
    """However often its name is remembered, the others are named, as many as are wanted."""
    store = past(incidents(["me", "p", "me", "q"]))
    assert sorted(ids(store.nearest(incidents(["me"]), PARTS, 2))[0]) == ["p", "q"]


def test_other_spaces_and_unknown_vectors_are_not_compared() -> None:
    """Vectors of two spaces have nothing to say of one another, and NaN nothing at all."""
    store = past(incidents(["a"], space="other"))
    blank = incidents(["b"])
    store.learn(replace(blank, vector_MV=np.full_like(blank.vector_MV, np.nan)))
    assert store.nearest(incidents(["x"]), PARTS, 3) == [[]]
    store.learn(incidents(["c"]))
    both = IncidentTable.concat(
        [incidents(["x"]), replace(blank, vector_MV=blank.vector_MV * np.nan)]
    )
    assert ids(store.nearest(both, PARTS, 3)) == [["c"], []]


@pytest.mark.parametrize(("capacity", "kept"), [(0, []), (1, ["e"]), (4, ["b", "c", "d", "e"])])
def test_the_oldest_go(capacity: int, kept: list[str]) -> None:
    """At most so many are kept, however they come."""
    store = past(incidents(["a", "b", "c"]), capacity)
    store.learn(incidents(["d", "e"]))
    assert store.table.incident_id == kept
    assert sorted(ids(store.nearest(incidents(["x"], 3), PARTS, 9))[0]) == kept


@pytest.mark.parametrize("capacity", [0, 2, 10])
def test_a_state_is_taken_over_as_far_as_it_fits(capacity: int) -> None:
    """The newest, under a smaller capacity; the same answers under the same one."""
    store = past(incidents(["a", "b", "c"]))
    again = PastIncidents(num_parts=len(PARTS), columns=slice(0, SIZE), capacity=capacity)
    again.load_state_dict(store.state_dict())
    assert again.table.incident_id == ["a", "b", "c"][max(3 - capacity, 0) :]
    if capacity == 10:
        asked = incidents(["x"], 7)
        assert again.nearest(asked, PARTS, 3) == store.nearest(asked, PARTS, 3)


def test_a_state_of_other_columns_is_refused() -> None:
    """The error names the array and both shapes."""
    other = PastIncidents(num_parts=len(PARTS), columns=slice(0, SIZE + 1))
    with pytest.raises(ValueError, match=r"vector_MV.*\(5,\), not \(6,\)"):
        other.load_state_dict(past(incidents(["a"])).state_dict())


def test_without_networks_there_is_nothing_to_compare() -> None:
    """Vectors of no column: incidents are remembered, and have no neighbours."""
    store = PastIncidents(num_parts=len(PARTS), columns=slice(0, 0))
    table = replace(incidents(["a"]), vector_MV=np.zeros((1, 0), np.float32))
    store.learn(table)
    assert store.table.incident_id == ["a"]
    assert store.nearest(replace(table, incident_id=["x"]), PARTS, 3) == [[]]
