"""Who has covariances of their own: the busiest, and they keep them."""

from __future__ import annotations

import numpy as np

from streamssl.scorers.own_keys import SWAP_EVENTS, OwnKeys


def own_keys() -> OwnKeys:
    """Two entries for three keys: 0 and 1 own them after the first epoch."""
    own = OwnKeys(own_keys=2)
    own.columns.ensure(3)
    given = own.assign(np.repeat([0, 1, 2], [300, 200, 100]))
    assert sorted(given) == [(0, 1), (1, 2)]
    return own


def test_the_busiest_have_entries() -> None:
    """The free entries go to the busiest; the others share entry 0."""
    assert own_keys().columns["entry"].tolist() == [1, 2, 0]


def test_a_little_busier_is_not_enough() -> None:
    """A challenger as busy as the weakest owner does not take its entry: that costs history."""
    own = own_keys()
    for _ in range(200):
        assert own.assign(np.repeat([0, 1, 2], [300, 200, 220])) == []
    assert own.columns["entry"].tolist() == [1, 2, 0]


def test_a_challenger_twice_as_busy_takes_the_weakest_entry() -> None:
    """Once it has been seen long enough; the owner that lost it shares entry 0."""
    own = own_keys()
    swapped_at = 0
    for epoch in range(1, 200):
        if given := own.assign(np.repeat([0, 2], [300, 200])):
            assert given == [(2, 2)]
            swapped_at = epoch
            break
    assert 100 + 200 * swapped_at >= SWAP_EVENTS
    assert own.columns["entry"].tolist() == [1, 0, 2]
    assert own.assign(np.repeat([0, 2], [300, 200])) == []


def test_state_carries_the_owners() -> None:
    """Who owns what survives a restart."""
    own, other = own_keys(), OwnKeys(own_keys=2)
    other.load_state_dict(own.state_dict())
    assert other.columns["entry"].tolist() == [1, 2, 0]
    assert other.num_entries == 3


def test_a_dropped_key_leaves_its_entry() -> None:
    """The entry of a key that is forgotten goes to the next in line."""
    own = own_keys()
    own.columns.clear(np.array([0]))
    assert own.assign(np.repeat([1, 2], [200, 100])) == [(2, 1)]
    assert own.columns["entry"].tolist() == [0, 2, 1]


def test_fewer_entries_keep_the_owners_that_fit() -> None:
    """A configuration with fewer entries goes on with the first ones."""
    other = OwnKeys(own_keys=1)
    other.load_state_dict(own_keys().state_dict())
    assert other.columns["entry"].tolist() == [1, 0, 0]
    assert other.num_entries == 2
