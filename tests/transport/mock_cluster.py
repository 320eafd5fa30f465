"""librdkafka's mock cluster, which answers requests as a test says: no JVM, no isolation.

It has no interface in Python, so it is reached in the shared library that confluent-kafka brings.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_int, c_int16, c_size_t, c_void_p
from pathlib import Path
from typing import Any, Self

import confluent_kafka

PRODUCER = 0
# Numbers of the requests that tests fail.
PRODUCE, FETCH, OFFSET_COMMIT, JOIN_GROUP, HEARTBEAT = 0, 1, 8, 11, 12
INIT_PRODUCER_ID, ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSET_COMMIT = 22, 24, 25, 26, 28
# Calls of the C interface: result and arguments.
CALLS: dict[str, tuple[Any, ...]] = {
    "conf_new": (c_void_p,),
    "conf_set": (c_int, c_void_p, c_char_p, c_char_p, c_char_p, c_size_t),
    "new": (c_void_p, c_int, c_void_p, c_char_p, c_size_t),
    "destroy": (None, c_void_p),
    "mock_cluster_new": (c_void_p, c_void_p, c_int),
    "mock_cluster_destroy": (None, c_void_p),
    "mock_cluster_bootstraps": (c_char_p, c_void_p),
    "mock_topic_create": (c_int, c_void_p, c_char_p, c_int, c_int),
    "mock_push_request_errors_array": (None, c_void_p, c_int16, c_size_t, c_void_p),
    "mock_clear_request_errors": (None, c_void_p, c_int16),
    "mock_broker_set_rtt": (c_int, c_void_p, c_int, c_int),
    "mock_group_initial_rebalance_delay_ms": (None, c_void_p, c_int),
}


class MockCluster:
    """One broker on a loopback port that keeps topics, groups and producer ids in memory.

    Args:
        topics: Partitions of each topic.
    """

    def __init__(self, **topics: int) -> None:
        self._library = ctypes.CDLL(str(_library()))
        told = ctypes.create_string_buffer(512)
        settings = self._call("conf_new")
        for name, value in {"bootstrap.servers": "127.0.0.1:1", "log_level": "0"}.items():
            self._call("conf_set", settings, name.encode(), value.encode(), told, 512)
        self._client = self._call("new", PRODUCER, settings, told, 512)
        assert self._client, told.value
        self._cluster = self._call("mock_cluster_new", self._client, 1)
        self._call("mock_group_initial_rebalance_delay_ms", self._cluster, 0)
        for topic, num_partitions in topics.items():
            self._call("mock_topic_create", self._cluster, topic.encode(), num_partitions, 1)

    @property
    def bootstrap_servers(self) -> str:
        """Where clients find it."""
        servers: bytes = self._call("mock_cluster_bootstraps", self._cluster)
        return servers.decode()

    def fail(self, request: int, *codes: int) -> None:
        """The next requests of this kind are answered by these errors, and do nothing."""
        array = (c_int * len(codes))(*codes)
        self._call("mock_push_request_errors_array", self._cluster, request, len(codes), array)

    def heal(self, request: int) -> None:
        """Requests of this kind are answered as usual again."""
        self._call("mock_clear_request_errors", self._cluster, request)

    def delay(self, seconds: float) -> None:
        """Every answer takes so long."""
        self._call("mock_broker_set_rtt", self._cluster, 1, int(seconds * 1_000))

    def close(self) -> None:
        """End it."""
        self._call("mock_cluster_destroy", self._cluster)
        self._call("destroy", self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, name: str, *arguments: Any) -> Any:
        function = getattr(self._library, f"rd_kafka_{name}")
        function.restype, *function.argtypes = CALLS[name]
        return function(*arguments)


def _library() -> Path:
    """The wheel keeps it beside its package."""
    package = Path(confluent_kafka.__file__).parent
    found = sorted(package.parent.glob("confluent_kafka.libs/librdkafka*"))
    assert found, f"no shared library of confluent-kafka beside {package}"
    return found[0]
