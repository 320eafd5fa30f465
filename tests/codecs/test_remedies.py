"""What cannot be read is told with what mends it."""

from __future__ import annotations

import re

import pytest

from streamssl.codecs.dead_letters import REASONS
from streamssl.codecs.remedies import REMEDIES, remedy
from streamssl.config.paths import Tree, dotted


def test_every_reason_has_a_remedy() -> None:
    """No reason leaves an operator alone, and none is made up."""
    assert set(REMEDIES) == set(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_the_settings_that_a_remedy_names_exist(reason: str) -> None:
    """A remedy that names no setting of this version would be worse than none."""
    settings = {dotted(path) for path, _ in Tree().settings()}
    named = re.findall(r"\b(?:app|input|modality)\.[a-z_]+", remedy(reason))
    assert set(named) <= settings
