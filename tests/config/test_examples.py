"""The example configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamssl.config import load_config

EXAMPLES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid(path: Path) -> None:
    """Every file in configs/ loads as it stands."""
    assert load_config(path, environ={}).app.name != "streamssl"
