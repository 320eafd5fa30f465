"""Record batches made whole are those that kafka-python itself would have made."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from streamssl.data.events import OutputRecord
from streamssl.transport.kafka.record_encoding import encode_batches, new_batch, varint

OUT = TopicPartition("out", 3)
MAYBE_BYTES = st.none() | st.binary(max_size=200)
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=9)), max_size=4).map(tuple)
RECORDS = st.lists(
    st.builds(
        OutputRecord, topic=st.just("scores"), key=MAYBE_BYTES, value=MAYBE_BYTES, headers=HEADERS
    ),
    min_size=1,
    max_size=40,
)


def made(records: list[OutputRecord], max_bytes: int) -> list[bytes]:
    """The batches, as the sender writes them."""
    buffers = []
    for size, body in encode_batches(records, max_bytes):
        batch = new_batch(OUT, size, body)
        batch.records.set_producer_state(7, 2, 11, is_transactional=True)
        batch.records.close()
        buffers.append(bytes(batch.records.buffer()))
    return buffers


@given(records=RECORDS)
def test_a_batch_is_the_librarys_to_the_byte(records: list[OutputRecord]) -> None:
    """Lengths, numbers, absent keys and values, headers, counts and checksum."""
    (mine,) = made(records, 1 << 20)
    (first,) = MemoryRecords(mine)
    theirs = MemoryRecordsBuilder(2, 0, 1 << 20)
    for record in records:
        assert theirs.append(first.max_timestamp, record.key, record.value, list(record.headers))
    theirs.set_producer_state(7, 2, 11, is_transactional=True)
    theirs.close()
    assert mine == bytes(theirs.buffer())


@given(records=RECORDS, max_bytes=st.integers(1, 900))
def test_batches_are_cut_by_size_and_hold_every_record_in_order(
    records: list[OutputRecord], max_bytes: int
) -> None:
    """Only a batch of one record is larger."""
    buffers = made(records, max_bytes)
    read = [list(batch) for buffer in buffers for batch in MemoryRecords(buffer)]
    found = [(one.key, one.value, tuple(one.headers)) for batch in read for one in batch]
    assert found == [(one.key, one.value, one.headers) for one in records]
    header = MemoryRecordsBuilder(2, 0, 0).size_in_bytes()
    for batch, buffer in zip(read, buffers, strict=True):
        assert [one.offset for one in batch] == list(range(len(batch)))
        assert len(batch) == 1 or len(buffer) - header <= max_bytes


def test_a_batch_is_freed_with_its_last_reference() -> None:
    """What is kept for its records does not lead back to it: no collection has to find it."""
    batch = new_batch(OUT, 1, b"record")
    gone = weakref.ref(batch)
    gc.disable()
    try:
        del batch
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (-1, "01"), (1, "02"), (63, "7e"), (64, "8001"), (-65, "8101"), (300, "d804")],
)
def test_numbers_are_zigzag_varints(value: int, encoded: str) -> None:
    """As Protocol Buffers writes an sint64."""
    assert varint(value).hex() == encoded
