"""Records that no waiting makes readable: the process ends, and says where and what to do."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition, errors

from streamssl.data.events import StreamsslError

# What kafka-python raises about the records themselves, not about the way to them.
UNREADABLE = (errors.UnsupportedCodecError, errors.CorruptRecordError, errors.LogTruncationError)


class TopicUnreadableError(StreamsslError):
    """A topic holds records that cannot be read, however often they are asked for."""


def unreadable(consumer: KafkaConsumer, error: BaseException) -> TopicUnreadableError:
    """What to tell about one of `UNREADABLE` that a `poll` raised.

    The client keeps the records that it stumbled over and would turn on them for ever in its
    next `poll`; they are thrown away here, so that a later `poll` fails as this one did.
    """
    if isinstance(error, errors.LogTruncationError):
        return TopicUnreadableError(_truncated(_places(error)))
    where = _stumbled(consumer)
    if isinstance(error, errors.UnsupportedCodecError):
        return TopicUnreadableError(_codec_unknown(where, error))
    return TopicUnreadableError(_damaged(where, error))


def _codec_unknown(where: str, reason: BaseException) -> str:
    return (
        f"the compression of {where} is not known here ({reason}); install "
        "kafka-python[crc32c,lz4,snappy,zstd], or let the producer use gzip, snappy, lz4 or "
        "zstd"
    )


def _damaged(where: str, reason: BaseException) -> str:
    return (
        f"the records of {where} are damaged ({reason}); start again if the network did it; if "
        "not, restore the broker's log from a replica, or delete what comes before the next "
        "whole batch with kafka-delete-records.sh (it then counts as missed)"
    )


def _truncated(places: str) -> str:
    return (
        f"the broker lost what was read of {places} on (a replica that lagged "
        "became the leader), and other messages may stand there now; start again to go on at "
        "the committed position, without scoring what was written before it; to keep such "
        "losses away set unclean.leader.election.enable=false on the topic"
    )


def _stumbled(consumer: KafkaConsumer) -> str:
    stuck = consumer._fetcher._next_partition_records
    if stuck:
        where = _named(stuck.topic_partition, stuck.next_fetch_offset)
        stuck.drain()
        return where
    # The broker itself refused the fetch, and the client does not say of which partition.
    states = consumer._subscription.assignment.items()
    places = [_named(tp, s.position.offset) for tp, s in states if s.position is not None]
    return "one of: " + "; ".join(sorted(places))


def _places(error: errors.LogTruncationError) -> str:
    places = [
        _named(tp, "an unknown offset" if kept is None else kept.offset)
        for tp, kept in error.divergent_offsets.items()
    ]
    return "; ".join(sorted(places))


def _named(tp: TopicPartition, offset: int | str) -> str:
    at = offset if isinstance(offset, str) else f"offset {offset}"
    return f"{tp.topic}, partition {tp.partition}, from {at}"
