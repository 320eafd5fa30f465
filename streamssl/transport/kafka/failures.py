"""What kafka-python's errors mean: what may pass, what will not, and what to tell."""

from __future__ import annotations

from kafka import errors

from streamssl.data.events import StreamsslError

# What kafka-python raises when the broker is away or a rebalance is under way; it asserts, too,
# what it expects of connections.
CLIENT_ERRORS = (errors.KafkaError, OSError, AssertionError)
# Those that another attempt would meet again: rights, settings and versions.
FATAL_ERRORS = (
    errors.AuthorizationError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.KafkaConfigurationError,
    errors.InvalidTransactionTimeoutError,
    errors.UnsupportedVersionError,
    errors.InvalidGroupIdError,
    errors.InvalidSessionTimeoutError,
    errors.InconsistentGroupProtocolError,
)
TOO_LARGE_ERRORS = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError)
FENCED_ERRORS = (errors.ProducerFencedError, errors.InvalidProducerEpochError)


class RecordTooLargeError(StreamsslError):
    """An output record that the topic would refuse; sending it again would not help."""


def raise_fatal(error: BaseException) -> None:
    """Raise what sending the same again would not mend; return after anything else.

    Raises:
        RecordTooLargeError: The broker refuses a record for its size.
        KafkaError: One of `FATAL_ERRORS`, which says itself what is wrong.
    """
    for cause in (error, *error.args):
        if isinstance(cause, TOO_LARGE_ERRORS):
            raise RecordTooLargeError(
                f"the broker refuses an output record for its size ({type(cause).__name__}: "
                f"{cause}); the limit was lowered since the start: raise the topic's "
                "max.message.bytes, or restart to have it read again"
            ) from error
        if isinstance(cause, FATAL_ERRORS):
            raise cause


def is_fenced(error: BaseException) -> bool:
    """True where the cause is a newer producer of the same name.

    The first call after the fence raises `ProducerFencedError`; later ones wrap it in a plain
    `KafkaError`, as an argument or in its text.
    """
    causes = (error, *error.args)
    return any(isinstance(cause, FENCED_ERRORS) for cause in causes) or any(
        kind.__name__ in str(error) for kind in FENCED_ERRORS
    )


def remedy_of(error: BaseException) -> str:
    """What to tell about one of `FATAL_ERRORS`, and what to do."""
    told = f"{type(error).__name__}: {error}"
    if isinstance(error, errors.InvalidSessionTimeoutError):
        return (
            f"the broker refuses kafka.session_timeout_ms ({told}); choose it between the "
            "broker's group.min.session.timeout.ms and group.max.session.timeout.ms"
        )
    if isinstance(error, errors.InvalidGroupIdError | errors.InconsistentGroupProtocolError):
        return (
            f"the consumer group named by app.name cannot be joined ({told}); another program "
            "uses it in another way: choose another app.name, or end that program"
        )
    return (
        f"the broker refuses ({told}); check the security settings in the section kafka, and that "
        "the user may read the input topic, write the output topics, use the consumer group and "
        "the transactional id (read, write, describe and, for outputs.create_topics, create)"
    )
