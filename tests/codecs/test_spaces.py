"""Announcements of spaces as the topic has them."""

from __future__ import annotations

import json

from streamssl.codecs.spaces import encode_space
from streamssl.data.spaces import SliceMap, SpaceOpening, VectorSlice

OPENING = SpaceOpening(
    space="3/space-2",
    previous="3/space-1",
    reason="shift",
    slices=(VectorSlice("state", 0, 2), VectorSlice("network", 2, 6)),
    maps=(SliceMap("state", ((1.0, 0.5), (0.25, 2.0)), (0.125, -3.0)),),
    anchor_cosine=0.98,
    anchor_cosine_unmapped=-0.5,
)


def test_an_announcement_names_slices_maps_and_cosines() -> None:
    """By name, as plain JSON, under the name of the space."""
    record = encode_space(OPENING, epoch=9, instance=3)
    assert (record.topic, record.key) == ("spaces", b"3/space-2")
    assert json.loads(record.value or b"") == {
        "space": "3/space-2",
        "previous": "3/space-1",
        "epoch": 9,
        "instance": 3,
        "reason": "shift",
        "slices": [
            {"name": "state", "begin": 0, "end": 2},
            {"name": "network", "begin": 2, "end": 6},
        ],
        "maps": [{"name": "state", "weight": [[1.0, 0.5], [0.25, 2.0]], "bias": [0.125, -3.0]}],
        "anchor_cosine": 0.98,
        "anchor_cosine_unmapped": -0.5,
        "kind": "space",
    }


def test_what_is_not_known_is_null_or_empty() -> None:
    """A space that nothing leads to says so."""
    first = SpaceOpening("0/provisional", None, "start", slices=())
    told = json.loads(encode_space(first, epoch=1, instance=0).value or b"")
    assert (told["previous"], told["slices"], told["maps"]) == (None, [], [])
    assert (told["anchor_cosine"], told["anchor_cosine_unmapped"]) == (None, None)
