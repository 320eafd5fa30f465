"""librdkafka's errors in kafka-python's words, which the rest of the transport knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException
from kafka import errors

# Errors of the library itself; those of the broker have the same numbers everywhere.
LOCAL: Mapping[int, type[errors.KafkaError]] = {
    KafkaError._TIMED_OUT: errors.KafkaTimeoutError,
    KafkaError._TIMED_OUT_QUEUE: errors.KafkaTimeoutError,
    KafkaError._MSG_TIMED_OUT: errors.KafkaTimeoutError,
    KafkaError._TRANSPORT: errors.KafkaConnectionError,
    KafkaError._ALL_BROKERS_DOWN: errors.KafkaConnectionError,
    KafkaError._RESOLVE: errors.KafkaConnectionError,
    KafkaError._SSL: errors.KafkaConnectionError,
    KafkaError._FENCED: errors.ProducerFencedError,
    KafkaError._AUTHENTICATION: errors.SaslAuthenticationFailedError,
    KafkaError._INVALID_ARG: errors.KafkaConfigurationError,
    KafkaError._UNSUPPORTED_FEATURE: errors.UnsupportedVersionError,
    KafkaError._UNKNOWN_TOPIC: errors.UnknownTopicOrPartitionError,
    KafkaError._UNKNOWN_PARTITION: errors.UnknownTopicOrPartitionError,
}
# A commit under a membership that has ended, or while a rebalance is under way.
STALE = (
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
)


def translated(error: KafkaError) -> errors.KafkaError:
    """The same error as kafka-python would raise it."""
    code, told = error.code(), f"{error.str()} [{error.name()}]"
    if code in STALE:
        return errors.CommitFailedError(told)
    if code > 0:
        return errors.for_code(code)(told)
    return LOCAL.get(code, errors.KafkaError)(told)


@contextmanager
def translating() -> Iterator[None]:
    """Within this the library's errors leave as kafka-python's.

    Raises:
        KafkaError: Of the kind that the library's error is.
    """
    try:
        yield
    except KafkaException as error:
        raise translated(error.args[0]) from error
    except SystemError as error:  # a fatal error met a callback while it was being raised
        fatal = error.__cause__
        if not isinstance(fatal, KafkaException):
            raise
        raise translated(fatal.args[0]) from error
    except BufferError as error:
        raise errors.KafkaTimeoutError(f"the producer's queue stays full: {error}") from error
    except RuntimeError as error:  # what a client says that was closed
        raise errors.KafkaError(str(error)) from error
