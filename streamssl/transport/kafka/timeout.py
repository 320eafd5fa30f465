"""A time-out for calls that have none of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from kafka import errors

from streamssl.transport.kafka.retry import TURN_S

T = TypeVar("T")


def run_with_timeout(
    call: Callable[[], T],
    timeout_s: float,
    meanwhile: Callable[[], None],
    meanwhile_after_s: float = 1.0,
) -> T:
    """What `call` returns, on a thread of its own, if it ends in time.

    A call that does not end is left to its thread, so it must hold only what is thrown away
    afterwards.

    Args:
        call: What may not end by itself.
        timeout_s: How long it may take.
        meanwhile: Called over and over on the caller's thread.
        meanwhile_after_s: From when on: most calls end before.

    Raises:
        KafkaTimeoutError: It did not end in time.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def work() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # handed over to the caller's thread
            failure.append(error)
        done.set()

    threading.Thread(target=work, name="streamssl-kafka-call", daemon=True).start()
    deadline = time.monotonic() + timeout_s
    done.wait(min(meanwhile_after_s, timeout_s))
    while not done.is_set():
        if time.monotonic() > deadline:
            raise errors.KafkaTimeoutError(f"a call to the broker did not end in {timeout_s:.0f} s")
        meanwhile()
        done.wait(TURN_S)
    if failure:
        raise failure[0]
    return outcome[0]
