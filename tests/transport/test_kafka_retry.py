"""What is retried, for how long, and what is told instead."""

from __future__ import annotations

import threading
import time

import pytest
from kafka import errors

from streamssl.transport.base import TransportUnavailableError
from streamssl.transport.kafka.failures import is_fenced
from streamssl.transport.kafka.outage_log import OutageLog
from streamssl.transport.kafka.retry import RetryPolicy, StoppedError
from streamssl.transport.kafka.timeout import run_with_timeout
from tests.log_lines import events, log_lines


def test_a_call_is_retried_until_it_succeeds() -> None:
    """The failure is named while it lasts, and gone afterwards."""
    policy, seen = RetryPolicy(lambda: False), []

    def flaky() -> str:
        seen.append(policy.current_failure)
        if len(seen) < 3:
            raise errors.KafkaTimeoutError("not yet")
        return "well"

    assert policy.retry(flaky) == "well"
    assert "not yet" in seen[-1]
    assert policy.current_failure == ""


def test_an_outage_is_one_line_and_its_end_another() -> None:
    """Hundreds of failures, whatever their words: how it began, how it ended, how many."""
    now = [0.0]
    outages = OutageLog(lambda: now[0])
    with log_lines() as lines:
        for _ in range(2):
            outages.answered()
            for i in range(100):
                now[0] += 0.25
                outages.failed(f"attempt {'x' * i}")
            outages.answered()
    assert events(lines) == ["broker_away", "broker_back"] * 2
    assert "attempt" in lines[0]["error"]
    assert (lines[1]["num_failures"], lines[1]["seconds"]) == (100, 24.8)


def test_what_passes_at_once_is_no_outage() -> None:
    """A coordinator that is being elected: a moment's failures are no line."""
    now = [0.0]
    outages = OutageLog(lambda: now[0])
    with log_lines() as lines:
        outages.failed("not the coordinator")
        now[0] = 0.9
        outages.turned()
        outages.answered()
        now[0] = 5.0
        outages.turned()
        outages.failed("connection refused")
        now[0] = 6.0
        outages.turned()
    assert [(line["event"], line["error"]) for line in lines] == [
        ("broker_away", "connection refused")
    ]


def test_retries_end_when_the_process_shall_stop() -> None:
    """After a grace for what is unfinished, a stop is an error that says what was wrong."""
    policy = RetryPolicy(lambda: True, grace_s=0.1)
    with pytest.raises(StoppedError, match="no brokers"):
        policy.retry(lambda: _fail(errors.KafkaConnectionError("no brokers")))


def test_retries_of_a_start_are_limited() -> None:
    """`kafka.start_timeout_s` bounds a start, not what comes after it."""
    policy = RetryPolicy(lambda: False)
    policy.set_deadline(0.1)
    with pytest.raises(TransportUnavailableError, match=r"bootstrap_servers.*security_protocol"):
        policy.retry(lambda: _fail(OSError("refused")))
    policy.clear_deadline()
    policy.check_limits()


def test_a_refusal_is_not_waited_out() -> None:
    """Missing rights are told at once, with the rights that are needed."""
    policy = RetryPolicy(lambda: False)
    with pytest.raises(TransportUnavailableError, match="refuses"):
        policy.retry(lambda: _fail(errors.TopicAuthorizationFailedError("events")))


def test_a_call_with_a_timeout_gives_its_result_or_its_error() -> None:
    """The caller's own work turns meanwhile, and nothing waits for ever."""
    turned: list[float] = []
    turn = lambda: turned.append(time.monotonic())  # noqa: E731
    assert run_with_timeout(lambda: 7, 5.0, turn) == 7
    with pytest.raises(OSError, match="broken"):
        run_with_timeout(lambda: _fail(OSError("broken")), 5.0, turn)
    assert not turned
    release = threading.Event()
    with pytest.raises(errors.KafkaTimeoutError):
        run_with_timeout(lambda: release.wait(10), 0.2, turn, meanwhile_after_s=0.05)
    release.set()
    assert turned


def test_a_fence_is_recognised_in_every_form() -> None:
    """kafka-python raises it bare first, then wrapped, then as text."""
    assert is_fenced(errors.ProducerFencedError())
    assert is_fenced(errors.KafkaError("failed", errors.InvalidProducerEpochError()))
    assert is_fenced(errors.KafkaError("in an error state: [Error 90] ProducerFencedError"))
    assert not is_fenced(errors.KafkaTimeoutError("slow"))


def _fail(error: BaseException) -> None:
    raise error
