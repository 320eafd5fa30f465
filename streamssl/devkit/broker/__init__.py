"""A real Apache Kafka on loopback for the tests and the demo; nothing of it runs in production."""

from streamssl.devkit.broker.broker import DevBroker
from streamssl.devkit.broker.jars import BrokerUnavailableError, fetch_jars

__all__ = ["BrokerUnavailableError", "DevBroker", "fetch_jars"]
