"""The broker: where it is, and how to be let in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from streamssl.config.sections.base import Broken, Count, Seconds, Section

# kafka-python's own bounds: its fetches wait 500 ms, its idle connections close after 9 minutes.
_REQUEST_TIMEOUT_MS = (500, 540_000)
# What the protocol's time-outs hold.
_INT32 = 2**31 - 1
_SERVER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:,\[\]]+):(\d{1,5})")


class KafkaConfig(Section):
    """How to reach the broker; security settings are named as kafka-python names them."""

    bootstrap_servers: str = Field("localhost:9092", description="host:port, comma separated.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Encryption (SSL) and authentication (SASL) of the connection."
    )
    ssl_cafile: Path | None = Field(
        None, description="Certificates of the authorities that may sign the broker's."
    )
    ssl_certfile: Path | None = Field(None, description="This client's certificate.")
    ssl_keyfile: Path | None = Field(None, description="Key of this client's certificate.")
    ssl_password: SecretStr | None = Field(None, description="Password of the key.")
    ssl_password_file: Path | None = Field(None, description="File that holds that password.")
    ssl_check_hostname: bool = Field(
        True, description="The broker's certificate must carry its host name."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI"] | None = Field(
        None, description="How to authenticate; needed with SASL."
    )
    sasl_plain_username: str | None = Field(None, description="User for PLAIN and SCRAM.")
    sasl_plain_password: SecretStr | None = Field(
        None, description="That user's password, better given by file or environment."
    )
    sasl_plain_password_file: Path | None = Field(
        None, description="File that holds that password."
    )
    request_timeout_ms: Count = Field(5_000, description="Time-out of one request to the broker.")
    session_timeout_ms: int = Field(
        10_000, ge=1, le=_INT32, description="Silence after which a member is lost."
    )
    transaction_timeout_ms: int = Field(
        10_000,
        ge=1,
        le=_INT32,
        description="After this the broker aborts an abandoned transaction; 60 s where one was "
        "too slow for it.",
    )
    start_timeout_s: Seconds = Field(30.0, description="How long a start waits for the broker.")

    def broken_rules(self) -> Iterator[Broken]:
        """What the addresses, the security and the time-outs forbid."""
        yield from self._server_rules()
        yield from self._sasl_rules()
        yield from self._password_rules()
        yield from self._ssl_rules()
        least, most = _REQUEST_TIMEOUT_MS
        if not least < self.request_timeout_ms < most:
            yield "request_timeout_ms", f"must be above {least} and below {most}"

    def _server_rules(self) -> Iterator[Broken]:
        for server in self.bootstrap_servers.split(","):
            match = _SERVER.fullmatch(server.strip())
            if match is None or not 0 < int(match[2]) < 65_536:
                yield (
                    "bootstrap_servers",
                    f"{server.strip()!r} is not host:port; write for example broker-1:9092",
                )

    def _sasl_rules(self) -> Iterator[Broken]:
        with_sasl = self.security_protocol.startswith("SASL")
        remedy = "set kafka.security_protocol to SASL_SSL or SASL_PLAINTEXT"
        if with_sasl and self.sasl_mechanism is None:
            yield "sasl_mechanism", f"is needed with {self.security_protocol}"
        if not with_sasl and self.sasl_mechanism is not None:
            yield "sasl_mechanism", f"has no effect with {self.security_protocol}; {remedy}"
        if not with_sasl and self.sasl_plain_password is not None:
            yield "sasl_plain_password", f"is not sent with {self.security_protocol}; {remedy}"

    def _password_rules(self) -> Iterator[Broken]:
        with_sasl = self.security_protocol.startswith("SASL")
        if not with_sasl or self.sasl_mechanism in (None, "GSSAPI"):
            return
        if self.sasl_plain_username is None:
            yield "sasl_plain_username", f"is needed with {self.sasl_mechanism}"
        if self.sasl_plain_password is None:
            yield (
                "sasl_plain_password",
                f"is needed with {self.sasl_mechanism}; give kafka.sasl_plain_password_file or "
                "the variable STREAMSSL_KAFKA__SASL_PLAIN_PASSWORD",
            )

    def _ssl_rules(self) -> Iterator[Broken]:
        with_ssl = self.security_protocol.endswith("SSL")
        for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            path = getattr(self, name)
            if path is not None and not with_ssl:
                yield (
                    name,
                    f"has no effect with {self.security_protocol}; set kafka.security_protocol to "
                    "SSL or SASL_SSL",
                )
            elif path is not None and not path.is_file():
                yield name, f"no such file: {path}"
        if self.ssl_keyfile is not None and self.ssl_certfile is None:
            yield "ssl_certfile", "is needed with kafka.ssl_keyfile"
