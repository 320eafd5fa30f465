"""What librdkafka is told about the broker, in its own words."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import SecretStr

from streamssl.config.sections import KafkaConfig
from streamssl.transport.kafka.clients.base import (
    BATCH_BYTES,
    FETCH_BYTES,
    FETCH_WAIT_MS,
    LINGER_MS,
    METADATA_AGE_MS,
    RETRY_BACKOFF_MS,
    ProducerOptions,
)
from streamssl.transport.kafka.security import RECONNECT_MAX_MS

# librdkafka's own lines, which would go to standard error.
LOGGER = logging.getLogger("kafka.librdkafka")
# What the library keeps ahead of the polls, beside the fetches that are under way: one answer of
# a broker holds at most so much, or a single larger message.
AHEAD_KB, ANSWER_BYTES = 16 * 1024, 8 * 2**20
# A full queue is looked at again after this (the default of a second would be a pause).
FULL_MS = 10
MOST_KB = 2**31 - 1

RdSettings = dict[str, Any]


def common_settings(kafka: KafkaConfig) -> RdSettings:
    """What consumers and producers share."""
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        "client.id": "streamssl",
        "socket.timeout.ms": kafka.request_timeout_ms,
        "socket.keepalive.enable": True,
        "socket.nagle.disable": True,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": RECONNECT_MAX_MS,
        "topic.metadata.refresh.interval.ms": METADATA_AGE_MS,
        "enable.metrics.push": False,
        "security.protocol": kafka.security_protocol,
        **_ssl(kafka),
        **_sasl(kafka),
    }


def consumer_settings(kafka: KafkaConfig, *, group: str, member: str) -> RdSettings:
    """A static member that decides its positions itself."""
    return {
        **common_settings(kafka),
        "group.id": group,
        "group.instance.id": member,
        "group.protocol": "classic",
        "partition.assignment.strategy": "cooperative-sticky",
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # decided in `positions.py`
        "session.timeout.ms": kafka.session_timeout_ms,
        "max.poll.interval.ms": max(300_000, kafka.session_timeout_ms),
        "heartbeat.interval.ms": min(1_000, kafka.session_timeout_ms // 3),
        # A partition that begins a moment later waits for the idle fetch of those before it.
        "fetch.wait.max.ms": FETCH_WAIT_MS // 2,
        "fetch.message.max.bytes": FETCH_BYTES,
        "fetch.max.bytes": ANSWER_BYTES,
        "fetch.queue.backoff.ms": FULL_MS,
        "queued.max.messages.kbytes": AHEAD_KB,
        "check.crcs": True,
        # Tells that a partition was read to its end, past the markers of transactions.
        "enable.partition.eof": True,
        "allow.auto.create.topics": False,
    }


def producer_settings(kafka: KafkaConfig, options: ProducerOptions) -> RdSettings:
    """An idempotent producer, with transactions where it has a name."""
    settings = {
        **common_settings(kafka),
        "socket.timeout.ms": options.request_timeout_ms,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": LINGER_MS,
        # Batches are refused whole, and never split as kafka-python does.
        "batch.size": min(BATCH_BYTES, options.max_batch_bytes),
        "message.max.bytes": max(1_000, options.max_request_bytes),
        "retry.backoff.ms": RETRY_BACKOFF_MS,
        "request.timeout.ms": options.request_timeout_ms,
        "message.timeout.ms": options.delivery_ms,
        # A transaction is in memory anyway: it must fit into the queue, whatever its size.
        "queue.buffering.max.messages": 0,
        "queue.buffering.max.kbytes": MOST_KB,
    }
    if options.transactional_id is not None:
        settings["transactional.id"] = options.transactional_id
        settings["transaction.timeout.ms"] = options.transaction_timeout_ms
    return settings


def _ssl(kafka: KafkaConfig) -> RdSettings:
    if "SSL" not in kafka.security_protocol.split("_"):
        return {}
    check = "https" if kafka.ssl_check_hostname else "none"
    files = {
        "ssl.ca.location": kafka.ssl_cafile,
        "ssl.certificate.location": kafka.ssl_certfile,
        # One file may hold both, as Python's ssl allows.
        "ssl.key.location": kafka.ssl_keyfile or kafka.ssl_certfile,
    }
    return {
        "ssl.endpoint.identification.algorithm": check,
        **{name: str(path) for name, path in files.items() if path is not None},
        **_given("ssl.key.password", kafka.ssl_password),
    }


def _sasl(kafka: KafkaConfig) -> RdSettings:
    if not kafka.security_protocol.startswith("SASL"):
        return {}
    return {
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.username": kafka.sasl_plain_username,
        **_given("sasl.password", kafka.sasl_plain_password),
    }


def _given(name: str, secret: SecretStr | None) -> RdSettings:
    return {} if secret is None else {name: secret.get_secret_value()}
