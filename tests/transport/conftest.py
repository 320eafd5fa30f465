"""The two client libraries, of which both must keep every promise."""

from __future__ import annotations

import pytest

from streamssl.transport.kafka.clients import LIBRARIES


@pytest.fixture(params=list(LIBRARIES))
def client(request: pytest.FixtureRequest) -> str:
    """A value of `kafka.client`."""
    name: str = request.param
    return name
