"""The daemon with a profile of each stage, left as `<name>.profiles.json` beside its settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.speed.child import MeasurementError
from benchmarks.speed.profiles import Sampler, StageProfiles
from benchmarks.speed.results import Profile
from streamssl.config import load_config
from streamssl.engine import run_daemon
from streamssl.engine.watch import Watch
from streamssl.telemetry import setup_logging
from streamssl.telemetry.stages import Stages

# Like `daemon.RUN`.
PROFILED = ("-c", "from benchmarks.speed.profiled import main; main()")
SUFFIX = ".profiles.json"
# In one process everything that it does can be seen.
TOGETHER = "learner.own_process=false"
Timed = Callable[[Any, str], AbstractContextManager[None]]


def main() -> None:
    """`run -c FILE`, every stage profiled; write down what was found and end."""
    config_path = Path(sys.argv[-1])
    config = load_config(config_path, [TOGETHER])
    setup_logging(config.telemetry.log_level)
    found = StageProfiles()
    profile_stages(found)
    with Sampler(lambda thread: beside(found.current, thread)) as others:
        code = run_daemon(config)
    told = found.profiles() | {profile.name: profile for profile in others.profiles()}
    config_path.with_suffix(SUFFIX).write_bytes(msgspec.json.encode(told))
    sys.exit(code)


def profile_stages(found: StageProfiles) -> None:
    """Let every stage that engine and learner time be profiled, too."""
    for owner, name in ((Watch, "stage"), (Stages, "__call__")):  # they have no profiler of theirs
        setattr(owner, name, _profiled(getattr(owner, name), found))


def _profiled(timed: Timed, found: StageProfiles) -> Timed:
    @contextmanager
    def stage(self: Any, name: str) -> Iterator[None]:
        with timed(self, name), found.stage(name):
            yield

    return stage


def load_profiles(config_path: Path) -> dict[str, Profile]:
    """What a daemon under this configuration left.

    Raises:
        MeasurementError: It left nothing.
    """
    path = config_path.with_suffix(SUFFIX)
    if not path.exists():
        raise MeasurementError(f"the profiled daemon left no {path.name}")
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Profile])


def beside(stage: str, thread: str) -> str | None:
    """What other threads do while the main one is in a stage goes under one name.

    Example:
        >>> beside("publish", "kafka-producer"), beside("publish", "MainThread")
        ('publish, other threads', None)
    """
    return f"{stage}, other threads" if stage and thread != "MainThread" else None
