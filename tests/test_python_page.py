"""`docs/python.md` runs as it stands, and its plot is the one beside it."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from pathlib import Path

import matplotlib as mpl
import pytest

from streamssl import EventBatch, Results
from tests.readme import ROOT

PAGE = (ROOT / "docs" / "python.md").read_text()
PNG = b"\x89PNG\r\n"


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_page_s_code_prints_and_draws_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run as it stands it prints the figures below it and makes the plot that the page shows."""
    mpl.use("agg")
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block("python"), "docs/python.md", "exec"), {})
    assert printed.getvalue() == block("text")
    (plot,) = re.findall(r"!\[.*\]\((.*)\)", PAGE)
    made, shown = (tmp_path / plot).read_bytes(), (ROOT / "docs" / plot).read_bytes()
    assert made.startswith(PNG)
    assert shown.startswith(PNG)
    assert max(len(made), len(shown)) < 100_000


def test_the_page_names_every_constructor_and_its_arguments() -> None:
    """What can be given is in its tables."""
    for name in ("from_pandas", "from_arrow", "from_records", "from_numpy"):
        maker = getattr(EventBatch, name)
        assert f"`EventBatch.{name}(" in PAGE
        named = set(inspect.signature(maker).parameters) - {"frame", "table", "records", "values"}
        assert all(f"| `{argument}` |" in PAGE for argument in named)


def test_the_page_names_every_column() -> None:
    """Those of the table of results, whatever the scorers."""
    for name in Results.table_schema([]).names:
        assert f"`{name}`" in PAGE, name
