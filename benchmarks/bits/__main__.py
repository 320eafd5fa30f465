"""`python -m benchmarks.bits --base REVISION`: exit code 0 where every digest is equal, else 1."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.work_tree import HERE, work_tree

Digests = dict[str, dict[str, int]]


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


if __name__ == "__main__":
    main()
