"""A real Apache Kafka on loopback for the tests and the demo; nothing of it runs in production."""

from streamssl.transport.broker.broker import DevBroker
from streamssl.transport.broker.jars import BrokerUnavailableError, fetch_jars

__all__ = ["BrokerUnavailableError", "DevBroker", "fetch_jars"]
