"""The example configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamssl.config import load_config
from streamssl.config.modalities import MODALITY_SECTIONS

EXAMPLES = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def test_every_kind_has_an_example() -> None:
    """A kind that is built in has a file of its name."""
    kinds = {path.stem: load_config(path, environ={}).modality.kind for path in EXAMPLES}
    assert all(kinds[kind] == kind for kind in MODALITY_SECTIONS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid(path: Path) -> None:
    """Every file in configs/ loads as it stands."""
    assert load_config(path, environ={}).app.name != "streamssl"
