"""Measurements that run in a process of their own: `python -m benchmarks.speed.child`.

The task comes as JSON on the command line, the result goes as JSON to standard output.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks.speed.learner import KeysFound, LearnerTask, measure_keys, measure_rate
from benchmarks.speed.results import Rate
from streamssl.data.events import StreamsslError

# What is measured -> (function, type of its result).
MEASUREMENTS: dict[str, tuple[Callable[[LearnerTask], msgspec.Struct], type[msgspec.Struct]]] = {
    "rate": (measure_rate, Rate),
    "keys": (measure_keys, KeysFound),
}
_LAST = 1_500
S = TypeVar("S", bound=msgspec.Struct)


class MeasurementError(StreamsslError):
    """A process that was to measure something ended with an error."""


def measure(name: str, task: LearnerTask, kind: type[S]) -> S:
    """Run one measurement in a process of its own.

    Raises:
        MeasurementError: It failed; the end of what it said is in the text.
    """
    words = ["-m", "benchmarks.speed.child", name, msgspec.json.encode(task).decode()]
    return msgspec.json.decode(output_of([sys.executable, *words]), type=kind)


def output_of(command: Sequence[str | Path], timeout_s: float = 900.0) -> str:
    """What a command prints.

    Raises:
        MeasurementError: It failed, or took too long.
    """
    try:
        done = subprocess.run(  # noqa: S603 our own command
            [str(word) for word in command],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise MeasurementError(f"{Path(command[1]).name} took over {timeout_s:.0f} s") from error
    if done.returncode != 0 or not done.stdout.strip():
        told = done.stderr.strip()[-_LAST:]
        raise MeasurementError(f"a measurement ended with code {done.returncode}: {told}")
    return done.stdout.strip()


def main(arguments: Sequence[str]) -> Any:
    """Do what the command line says, and give the result as JSON."""
    function, _ = MEASUREMENTS[arguments[0]]
    task = msgspec.json.decode(arguments[1], type=LearnerTask)
    return msgspec.json.encode(function(task)).decode()


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
