"""Profiles: one a stage of the daemon's own thread, and samples of all threads of the learner."""

from __future__ import annotations

import cProfile
import pstats
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self

from benchmarks.speed.results import Profile, Spot

NUM_SPOTS = 8
_EVERY_S = 0.002
# A thread whose innermost frame is in one of these files waits and does nothing.
_IDLE = {"threading.py", "thread.py", "selectors.py", "queue.py"}
_PACKAGES = ("streamssl", "site-packages", "lib")


class StageProfiles:
    """One deterministic profile for each stage; nested stages count for the inner one.

    Attributes:
        current: The stage that lasts now, empty between stages.
    """

    def __init__(self) -> None:
        self.current = ""
        self._profiles: dict[str, cProfile.Profile] = {}
        self._open: list[cProfile.Profile] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Profile what the block does as part of a stage; on other threads do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        profile = self._profiles.setdefault(name, cProfile.Profile())
        outer, self.current = self.current, name
        if self._open:
            self._open[-1].disable()
        self._open.append(profile)
        profile.enable()
        try:
            yield
        finally:
            profile.disable()
            self._open.pop()
            self.current = outer
            if self._open:
                self._open[-1].enable()

    def profiles(self) -> dict[str, Profile]:
        """What was found, by stage."""
        return {name: _of_stats(name, pstats.Stats(p)) for name, p in self._profiles.items()}


class Sampler(threading.Thread):
    """Looks at every other thread's innermost frame 500 times a second.

    Args:
        name_of: What the samples of a thread are filed under, by the thread's name; None: not.
    """

    def __init__(self, name_of: Callable[[str], str | None] = lambda thread: thread) -> None:
        super().__init__(name="sampler", daemon=True)
        self._name_of = name_of
        self._stopped = threading.Event()
        self._counts: dict[str, Counter[str]] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Sample until the block ends."""
        while not self._stopped.wait(_EVERY_S):
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            for ident, frame in sys._current_frames().items():
                if ident != self.ident and not _idle(frame):
                    self._take(self._name_of(_plain(names.get(ident, "unknown"))), frame)

    def profiles(self) -> list[Profile]:
        """What was found, by name."""
        return [_of_counts(name, counts) for name, counts in sorted(self._counts.items())]

    def _take(self, name: str | None, frame: FrameType) -> None:
        if name is not None:
            self._counts.setdefault(name, Counter())[_function(frame)] += 1


def _of_stats(name: str, stats: pstats.Stats) -> Profile:
    """The functions with the most time of their own."""
    found: Mapping[Any, Any] = getattr(stats, "stats")  # noqa: B009 - untyped there
    total_s = sum(row[2] for row in found.values())
    ranked = sorted(found.items(), key=lambda item: -item[1][2])[:NUM_SPOTS]
    spots = [
        Spot(function=shown(*place), share=row[2] / max(total_s, 1e-12), calls=row[1])
        for place, row in ranked
    ]
    return Profile(name=name, seconds=total_s, spots=spots)


def _of_counts(name: str, counts: Counter[str]) -> Profile:
    total = counts.total()
    spots = [
        Spot(function=function, share=count / total)
        for function, count in counts.most_common(NUM_SPOTS)
    ]
    return Profile(name=name, seconds=total * _EVERY_S, spots=spots)


def shown(path: str, line: int, function: str) -> str:
    """A function for a reader, without this machine's folders.

    Example:
        >>> shown("/somewhere/streamssl/keys.py", 7, "lookup")
        'streamssl/keys.py:7 lookup'
        >>> shown("~", 0, "<built-in method numpy.array>")
        'built-in method numpy.array'
    """
    if path == "~":
        return function.strip("<>")
    parts = Path(path).parts
    after = [i for i, part in enumerate(parts) if part in _PACKAGES]
    keep = parts[after[-1] :] if after else parts[-2:]
    return f"{'/'.join(keep).removeprefix('site-packages/')}:{line} {function}"


def _function(frame: FrameType) -> str:
    code = frame.f_code
    return shown(code.co_filename, code.co_firstlineno, code.co_name)


def _idle(frame: FrameType) -> bool:
    return Path(frame.f_code.co_filename).name in _IDLE


def _plain(thread: str) -> str:
    """A thread's name; a pool's threads count as one."""
    return thread.partition("_")[0]
