"""Nothing that a modality needs is forgotten: section, configuration, example, curve, page."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamssl.config.modalities import MODALITY_SECTIONS
from streamssl.config.settings import load_config
from streamssl.modalities import MODALITIES
from tests.modalities.examples import EXAMPLES
from tests.stream.test_golden_curve import GOLDEN

ROOT = Path(__file__).parents[2]
every_kind = pytest.mark.parametrize("kind", sorted(MODALITIES))


def test_every_modality_has_a_section_and_every_section_a_modality() -> None:
    """The two registries name the same kinds, in the same order."""
    assert list(MODALITIES) == list(MODALITY_SECTIONS)


@every_kind
def test_a_configuration_file_chooses_it(kind: str) -> None:
    """`configs/<kind>.yaml` is a valid configuration of that kind."""
    config = load_config(ROOT / "configs" / f"{kind}.yaml", environ={})
    assert config.modality.kind == kind


@every_kind
def test_it_has_an_example_and_a_golden_curve(kind: str) -> None:
    """So that every contract and promise runs over it."""
    assert kind in EXAMPLES
    assert set(GOLDEN[kind]) == {"raw", "learnt", "loss"}
    assert EXAMPLES.keys() == GOLDEN.keys()


@every_kind
def test_it_has_a_page(kind: str) -> None:
    """`docs/modalities/<kind>.md` names its parts and its columns of scores."""
    page = (ROOT / "docs" / "modalities" / f"{kind}.md").read_text(encoding="utf-8")
    assert f"kind: {kind}" in page
    assert f"raw_{MODALITY_SECTIONS[kind].core_name}" in page
    assert "parts" in page


@every_kind
def test_the_contract_names_files_that_exist(kind: str) -> None:
    """What `writing-one.md` tells of the code is there."""
    page = (ROOT / "docs" / "modalities" / "writing-one.md").read_text(encoding="utf-8")
    assert kind in page
    for name in ("tests/toy", "tests/modalities/examples.py", "tests/modalities/test_contracts.py"):
        assert name in page
        assert (ROOT / name).exists()
