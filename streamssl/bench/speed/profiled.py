"""The daemon with a profile of each stage, left as `<name>.profiles.json` beside its settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from streamssl.bench.speed.profiles import Sampler, StageProfiles
from streamssl.bench.speed.results import Profile
from streamssl.engine.watch import Watch

# Like `daemon.RUN`.
PROFILED = (
    "-c",
    "from streamssl.bench.speed.profiled import profiling\n"
    "from streamssl.cli.app import main\n"
    "with profiling(): main()",
)
SUFFIX = ".profiles.json"


def profile_stages(found: StageProfiles) -> None:
    """Let every stage that the daemon times be profiled, too."""
    timed = Watch.stage

    @contextmanager
    def stage(self: Watch, name: str) -> Iterator[None]:
        with timed(self, name), found.stage(name):
            yield

    Watch.stage = stage  # type: ignore[method-assign]  # the daemon itself has no profiler


def load_profiles(config_path: Path) -> dict[str, Profile]:
    """What a daemon under this configuration left; nothing where it left nothing."""
    path = config_path.with_suffix(SUFFIX)
    if not path.exists():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Profile])


@contextmanager
def profiling() -> Iterator[None]:
    """Profile the stages of the daemon that the block runs, and write down what was found."""
    found = StageProfiles()
    profile_stages(found)
    others = Sampler(lambda thread: beside(found.current, thread))
    try:
        with others:
            yield
    finally:
        told = found.profiles() | {profile.name: profile for profile in others.profiles()}
        path = Path(sys.argv[sys.argv.index("-c", 1) + 1]).with_suffix(SUFFIX)
        path.write_bytes(msgspec.json.encode(told))


def beside(stage: str, thread: str) -> str | None:
    """What other threads do while the main one is in a stage goes under one name.

    Example:
        >>> beside("commit", "kafka-producer"), beside("commit", "MainThread")
        ('commit, other threads', None)
    """
    return f"{stage}, other threads" if stage and thread != "MainThread" else None
