"""Memory that arrays give back is not fetched from the kernel again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")

PAGES = """
import resource, sys, threading
import numpy as np
from streamssl.arithmetic.allocator import keep_freed_memory

def work():
    for _ in range(100):
        [np.ones(400_000) for _ in range(8)]

told = sys.argv[1] == "keep" and keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(told, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def fetched(word: str, **variables: str) -> tuple[bool, int]:
    """Whether the allocator was told, and pages that a thread's arrays fetched."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("MALLOC_")} | variables
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    words = [sys.executable, "-c", PAGES, word]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=environment)
    told, pages = done.stdout.split()
    return told == "True", int(pages)


def test_pages_are_fetched_once() -> None:
    """The arrays of a thread use the same pages again and again."""
    told, kept = fetched("keep")
    assert told
    assert kept < 0.1 * fetched("plain")[1]


def test_what_somebody_has_set_stays() -> None:
    """An operator's own setting is not overruled."""
    assert not fetched("keep", MALLOC_TRIM_THRESHOLD_="131072")[0]
