"""Broker and topics as a start would find them; makes nothing and fences nobody."""

from __future__ import annotations

from contextlib import suppress

from streamssl.config.sections import AppConfig, InputConfig, KafkaConfig, OutputsConfig
from streamssl.transport.kafka.client_logs import demote_client_logs
from streamssl.transport.kafka.failures import CLIENT_ERRORS
from streamssl.transport.kafka.retry import RetryPolicy
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.topics import Admin, wanted_outputs


def check_topics(
    *,
    app: AppConfig,
    kafka: KafkaConfig,
    input: InputConfig,  # noqa: A002 the section's name
    outputs: OutputsConfig,
) -> list[str]:
    """Ask the broker for the topics of a configuration; a running daemon is not disturbed.

    Returns:
        What was found, a line a fact.

    Raises:
        TransportUnavailableError: The broker cannot be reached, or a start would fail for the
            topics.
    """
    demote_client_logs()
    retry_policy = RetryPolicy(lambda: False)
    retry_policy.set_deadline(kafka.start_timeout_s)
    admin = retry_policy.retry(lambda: Admin(client_settings(kafka)))
    try:
        return retry_policy.retry(lambda: _check(admin, app, input, outputs))
    finally:
        with suppress(*CLIENT_ERRORS):
            admin.close()


def _check(admin: Admin, app: AppConfig, input_: InputConfig, outputs: OutputsConfig) -> list[str]:
    num_partitions = admin.num_partitions(input_.topic)
    lines = [f"input {input_.topic}: {num_partitions} partitions"]
    wanted = list(wanted_outputs(app.name, num_partitions, outputs))
    absent = admin.try_outputs(app.name, num_partitions, outputs)
    if absent and outputs.create_topics:
        lines.append(f"a start will create: {', '.join(sorted(absent))}")
    else:
        # A start would add the partitions that are missing; a check changes nothing.
        only_check = outputs.model_copy(update={"create_topics": False})
        admin.ensure_outputs(app.name, num_partitions, only_check)
        lines.append(f"outputs exist: {', '.join(wanted)}")
    return lines
