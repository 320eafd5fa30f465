"""`python -m benchmarks.bits --base REVISION`: exit code 0 where every digest is equal, else 1."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Digests = dict[str, dict[str, int]]
HERE = Path(__file__).parents[2]


@contextmanager
def work_tree(revision: str) -> Iterator[Path]:
    """A checkout of a revision in a folder of its own, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", "--quiet", str(tree), revision)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def digests_of(tree: Path, streams: Sequence[str]) -> Digests:
    """What the recorder says of a work tree, by stream."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("record.py")), *streams]
    ran = subprocess.run(  # noqa: S603 - our own interpreter and file
        command,
        env={**os.environ, "PYTHONPATH": str(tree)},
        cwd=tree,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    return {line.pop("stream"): line for line in lines}


def differences(base: Digests, here: Digests) -> list[str]:
    """One line for each digest that is not the same."""
    return [
        f"{stream}: {name} was {digests[name]}, is {here[stream][name]}"
        for stream, digests in base.items()
        for name in digests
        if digests[name] != here[stream][name]
    ]


def main() -> None:
    """Record both trees, and say where they differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bits", description=__doc__)
    parser.add_argument("--base", required=True, help="revision to compare with")
    parser.add_argument("streams", nargs="*", help="streams to record; all without any")
    asked = parser.parse_args()
    here = digests_of(HERE, asked.streams)
    with work_tree(asked.base) as tree:
        base = digests_of(tree, asked.streams)
    found = differences(base, here)
    for stream in here:
        changed = [line for line in found if line.startswith(f"{stream}: ")]
        sys.stdout.write(f"{'differs' if changed else 'equal':8} {stream}\n")
    sys.stdout.write("".join(f"  {line}\n" for line in found))
    sys.exit(1 if found else 0)


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(HERE), *arguments], check=True)  # noqa: S603, S607


if __name__ == "__main__":
    main()
