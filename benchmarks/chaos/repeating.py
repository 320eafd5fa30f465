"""Something that is done over and over while a scenario goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def repeating(turn: Callable[[], object]) -> Iterator[None]:
    """Do something over and over, in a thread of its own, while the body runs.

    What `turn` fails with is raised when the body has ended.
    """
    over = threading.Event()

    def repeat() -> None:
        while not over.is_set():
            turn()

    with ThreadPoolExecutor(1) as pool:
        repeated = pool.submit(repeat)
        try:
            yield
        finally:
            over.set()
    repeated.result()
