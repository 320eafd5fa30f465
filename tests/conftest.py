"""Fixtures that every room's tests share: one real Kafka a session, topics per test."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from streamssl.devkit.broker import BrokerUnavailableError, DevBroker

TOY = str(Path(__file__).parent / "toy" / "installed")

# The same examples at every run: a test that fails sometimes tells nobody what was changed.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


def pytest_unconfigure() -> None:
    """The library's threads may outlive the streams that they log to."""
    logging.raiseExceptions = False


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command sets up logging for its whole process, of which a test is a part only."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def signals_as_before() -> Iterator[None]:
    """What was told to end leaves its handlers to its process's end, which a test is not."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def toy_installed() -> None:
    """The toy modality is there as any package's would be, by its entry points."""
    if TOY not in sys.path:  # A test that changes the path leaves it as it found it, mostly.
        sys.path.append(TOY)


@pytest.fixture
def nothing_installed(toy_installed: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Only the modalities that are built in."""
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder != TOY])


@dataclass(frozen=True)
class RunningBroker:
    """A broker that the test did not start and must not stop."""

    bootstrap_servers: str


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[RunningBroker]:
    """A real Kafka for the whole session; fails, never skips, where none can be had."""
    given = os.environ.get("STREAMSSL_TEST_BOOTSTRAP")
    if given:
        yield RunningBroker(given)
        return
    broker = DevBroker()
    try:
        broker.start()
    except BrokerUnavailableError as error:
        pytest.fail(f"these tests need a real Kafka: {error}", pytrace=False)
    try:
        yield RunningBroker(broker.bootstrap_servers)
    finally:
        broker.kill()  # its data are thrown away: nothing is worth an orderly end
        broker.stop()


@pytest.fixture
def unique_name() -> Callable[[str], str]:
    """Names (of topics, groups, applications) that no other test uses."""
    run, counter = uuid.uuid4().hex[:8], itertools.count()
    return lambda word: f"{word}-{run}-{next(counter)}"
