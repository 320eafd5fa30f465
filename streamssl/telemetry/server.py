"""One HTTP server for probes, status and metrics."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from streamssl.data.events import StreamsslError
from streamssl.telemetry.finite import finite
from streamssl.telemetry.health import Health
from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)

NUM_THREADS = 4
_MAX_WAITING = 32
_POLL_S = 0.1
_REQUEST_TIMEOUT_S = 5.0
Response = tuple[HTTPStatus, str, bytes]


class TelemetryServer:
    """Serves `/livez`, `/readyz`, `/startupz`, `/status` and `/metrics` until closed.

    One request a connection, a handful of threads and a short queue: many or slow clients are
    turned away and never touch the loop.

    Args:
        health: What the probes report.
        registry: What `/metrics` exports.
        status: More to show in `/status`; called from the server's threads.
        host: Address to listen on.
        port: 0 picks a free one.

    Raises:
        StreamsslError: The port is taken, or the address is not one of this machine.
    """

    def __init__(
        self,
        *,
        health: Health,
        registry: CollectorRegistry,
        status: Callable[[], Mapping[str, Any]] = dict,
        host: str = "127.0.0.1",
        port: int = 9464,
    ) -> None:
        self._health = health
        self._registry = registry
        self._status = status
        try:
            self._server = _Server((host, port), self._respond)
        except OSError as error:
            raise StreamsslError(
                f"cannot serve telemetry on {host}:{port}: {error.strerror or error}; set "
                "telemetry.port (0 picks a free one) or telemetry.host"
            ) from error
        self.address: tuple[str, int] = (host, self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="telemetry", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _respond(self, path: str) -> Response:
        probes = {
            "/livez": self._health.live,
            "/readyz": self._health.ready,
            "/startupz": self._health.startup,
        }
        if path in probes:
            reasons = probes[path]()
            code = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
            return code, "text/plain", ("\n".join(reasons or ["ok"]) + "\n").encode()
        if path == "/status":
            document = finite({**self._health.status(), **self._status()})
            body = json.dumps(document, default=str, allow_nan=False)
            return HTTPStatus.OK, "application/json", body.encode()
        if path == "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)
        paths = ", ".join([*probes, "/status", "/metrics"])
        return HTTPStatus.NOT_FOUND, "text/plain", f"not found; there are {paths}\n".encode()


class _Server(TCPServer):
    """Answers on a bounded number of threads (`HTTPServer` would ask the DNS for its name)."""

    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], respond: Callable[[str], Response]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.respond = respond
        self._pool = ThreadPoolExecutor(NUM_THREADS, thread_name_prefix="telemetry")
        self._places = threading.BoundedSemaphore(_MAX_WAITING)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Queue a connection, or close it where too many wait."""
        if self._places.acquire(blocking=False):
            self._pool.submit(self._handle, request, client_address)
        else:
            self.shutdown_request(request)

    def _handle(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            tell(log, "probe_client_gone")
        except Exception:
            tell(log, "probe_failed", with_traceback=True)
        finally:
            self.shutdown_request(request)
            self._places.release()

    def server_close(self) -> None:
        """Free the port and the threads."""
        super().server_close()
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Handler(BaseHTTPRequestHandler):
    """GET and HEAD, one a connection (HTTP/1.0 closes after the answer)."""

    timeout = _REQUEST_TIMEOUT_S
    # Headers and body leave together: a process that ends answers wholly or not at all.
    wbufsize = 1 << 16
    server: _Server
    server_version = "streamssl"
    sys_version = ""

    def do_GET(self) -> None:
        """Respond with headers and body."""
        self._send(with_body=True)

    def do_HEAD(self) -> None:
        """Respond with the headers of a GET, without a body."""
        self._send(with_body=False)

    def _send(self, *, with_body: bool) -> None:
        code, kind, body = self.server.respond(self.path.partition("?")[0])
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Probes come every few seconds: they are not worth a line."""
