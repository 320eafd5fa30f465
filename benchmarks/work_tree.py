"""Another revision of this repository, checked out beside this one for as long as it is needed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parents[1]


@contextmanager
def work_tree(revision: str) -> Iterator[Path]:
    """A checkout of a revision in a folder of its own, its loops compiled; removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", "--quiet", str(tree), revision)
        try:
            _compile(tree)
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _compile(tree: Path) -> None:
    build = tree / "streamssl" / "native" / "build.py"
    if build.exists():  # Older revisions have nothing to compile.
        subprocess.run([sys.executable, str(build)], check=True)  # noqa: S603 - our own file


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(HERE), *arguments], check=True)  # noqa: S603, S607
