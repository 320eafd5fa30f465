"""Bare clients and peers: scripts of the repository, in this environment or the peers' own."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.speed.child import MeasurementError, output_of

SCRIPTS = Path(__file__).parent
PEERS = SCRIPTS.parents[1] / ".venv-peers" / "bin" / "python"
NO_PEERS = (
    "The peers' environment is missing: `make peers` in a checkout makes it from "
    "`benchmarks/speed/peers.lock`; rows of Quix Streams, river, rrcf and deep-river are left out."
)


def has_peers() -> bool:
    """Whether the peers' environment is there."""
    return PEERS.exists()


def confluent_python() -> Path | None:
    """An interpreter with confluent-kafka: this one, else the peers'; None where neither has it."""
    if importlib.util.find_spec("confluent_kafka") is not None:
        return Path(sys.executable)
    return PEERS if has_peers() else None


def run_script(name: str, task: Mapping[str, Any], python: Path | None = None) -> dict[str, Any]:
    """Run `benchmarks/speed/<name>` and return the JSON object that it prints last.

    Args:
        name: Path of the script.
        task: What it is to do.
        python: The interpreter; this one by default.

    Raises:
        MeasurementError: It failed, or this is not a checkout.
    """
    script = SCRIPTS / name
    if not script.exists():
        raise MeasurementError(f"{name} is part of the repository: run from a checkout")
    command = [python or sys.executable, "-W", "ignore", script, json.dumps(task)]
    return dict(json.loads(output_of(command).splitlines()[-1]))
