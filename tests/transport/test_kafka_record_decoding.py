"""Messages read from record batches are what kafka-python itself reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition, errors
from kafka.consumer.fetcher import Fetcher
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from streamssl.data.events import Message
from streamssl.transport.kafka.record_decoding import MessagesOfPartition
from tests.transport.kafka_stream import RawName

IN = TopicPartition("in", 2)
MAYBE_BYTES = st.none() | st.binary(max_size=200)
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=9)), max_size=3)
RECORDS = st.lists(
    st.tuples(st.integers(0, 1 << 40), MAYBE_BYTES, MAYBE_BYTES, HEADERS), min_size=1, max_size=30
)
NONE, GZIP, MAGIC = 0, 1, 2


def batch(records: Any, compression: int = NONE, magic: int = MAGIC) -> bytearray:
    """One batch, as it stands in a log."""
    builder = MemoryRecordsBuilder(magic, compression, 1 << 20)
    for timestamp, key, value, headers in records:
        assert builder.append(timestamp, key, value, headers)
    builder.close()
    return bytearray(builder.buffer())


def both(data: bytes, start: int = 0) -> tuple[list[Message], list[Message], int, int]:
    """What we read and what the library reads, and where each goes on."""
    ours = MessagesOfPartition(start, IN, MemoryRecords(data))
    theirs = Fetcher.PartitionRecords(start, IN, MemoryRecords(data))
    mine = ours.take()
    expected = [
        Message(2, r.offset, r.key, r.value, r.timestamp, tuple(r.headers)) for r in theirs.take()
    ]
    return mine, expected, ours.next_fetch_offset, theirs.next_fetch_offset


@given(records=RECORDS, compression=st.sampled_from([NONE, GZIP]), start=st.integers(0, 31))
def test_messages_are_the_librarys_records(records: Any, compression: int, start: int) -> None:
    """Keys, values, times, headers and offsets, from the position that was asked for."""
    mine, expected, goes_on, expected_goes_on = both(bytes(batch(records, compression)), start)
    assert mine == expected
    assert goes_on == expected_goes_on


@pytest.mark.parametrize("magic", [0, 1])
def test_older_formats_are_read_too(magic: int) -> None:
    """Logs that were written long ago."""
    data = batch([(5 if magic else None, b"k", b"v", [])] * 3, magic=magic)
    mine, expected, goes_on, expected_goes_on = both(bytes(data))
    assert mine == expected
    assert len(mine) == 3
    assert goes_on == expected_goes_on


def test_the_brokers_own_time_is_that_of_the_batch() -> None:
    """Where the topic says LogAppendTime, its moment counts for every record."""
    data = batch([(1_000 + n, b"k", b"v", []) for n in range(3)])
    data[22] |= 0x08  # the attributes' lower byte
    parsed = MessagesOfPartition(0, IN, MemoryRecords(bytes(data)), check_crcs=False).take()
    assert [message.timestamp_ms for message in parsed] == [1_002] * 3


@pytest.mark.parametrize("compression", [NONE, GZIP])
def test_a_header_name_that_is_no_text_stops_nothing(compression: int) -> None:
    """Any bytes may be a header's name, or none: all records of the batch are read."""
    names: list[Any] = ["text", RawName(b"\xff\xfe"), RawName(b"\xc3(")]
    data = batch([(7, b"k", b"v", [(name, b"1")]) for name in names], compression)
    found = MessagesOfPartition(0, IN, MemoryRecords(bytes(data))).take()
    assert [message.headers[0][0] for message in found] == ["text", r"\xff\xfe", r"\xc3("]
    assert [(m.offset, m.key, m.value) for m in found] == [(n, b"k", b"v") for n in range(3)]
    nameless = batch([(7, b"k", b"v", [("", b"1")])])
    nameless[-3] = 1  # the length of the name: none
    parsed = MessagesOfPartition(0, IN, MemoryRecords(bytes(nameless)), check_crcs=False).take()
    assert parsed[0].headers == (("", b"1"),)


@pytest.mark.parametrize("check", [True, False])
def test_damaged_batches_are_refused_after_what_is_whole(check: bool) -> None:
    """By the checksum; without it by the record that does not add up."""
    records: Any = [(7, b"key", b"value", [])] * 4
    data = batch(records) + batch(records)
    data[-7] ^= 0x02  # the length of the last value
    found = MessagesOfPartition(0, IN, MemoryRecords(bytes(data)), check_crcs=check)
    whole = found.take()
    assert len(whole) >= 4
    assert whole[:4] == both(bytes(batch(records)))[0]
    with pytest.raises(errors.CorruptRecordError):
        found.take()
