"""What probes are told, through the state machine and over HTTP."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from streamssl.data.events import StreamsslError
from streamssl.telemetry import Health, Metrics, TelemetryServer


class Clock:
    """A clock that only moves when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(max_silence_s=60.0, clock=clock)


@pytest.mark.parametrize(
    ("phase", "ready", "startup"),
    [
        ("starting", False, False),
        ("recovering", False, False),
        ("warming", True, True),
        ("running", True, True),
    ],
)
def test_phases(health: Health, phase: str, ready: bool, startup: bool) -> None:
    """Ready and started only once the state was recovered; alive in every phase."""
    health.enter(phase)
    assert (not health.ready(), not health.startup(), health.live()) == (ready, startup, [])


def test_draining_is_alive_but_not_ready(health: Health, clock: Clock) -> None:
    """A drain must not be killed by a probe, and gets no more work."""
    health.enter("running")
    health.enter("draining")
    clock.now = 1_000.0
    assert (health.live(), health.ready(), health.startup()) == ([], ["draining"], [])


def test_asked_to_drain_is_not_ready_at_once(health: Health) -> None:
    """From the signal on no more work is wanted, though the step in hand may take a while."""
    health.enter("running")
    health.drain()
    health.enter("warming")
    assert (health.live(), health.ready(), health.startup()) == ([], ["draining"], [])
    health.enter("draining")
    assert health.ready() == ["draining"]


def test_a_stuck_loop_is_not_alive(health: Health, clock: Clock) -> None:
    """Without a beat for too long the process should be restarted; a beat keeps it."""
    health.enter("running")
    clock.now = 50.0
    health.beat()
    clock.now = 100.0
    assert health.live() == []
    clock.now = 111.0
    assert health.live() == ["the loop has not turned for 61 s"]


def test_never_alive_after_a_fatal_error(health: Health) -> None:
    """A fatal error fails every probe, whatever the phase says."""
    health.enter("running")
    health.fail("no space left")
    assert health.live() == health.startup() == ["no space left"]
    assert health.ready() == ["no space left"]


def test_an_absent_broker_is_not_ready(health: Health) -> None:
    """While the broker is away `/readyz` says so; the process stays alive."""
    health.enter("running")
    health.broker_away("timed out")
    assert (health.live(), health.ready()) == ([], ["broker away: timed out"])
    health.broker_back()
    assert health.ready() == []


def test_reasons_make_degraded(health: Health) -> None:
    """Work goes on under any reason for worry, as `degraded`; without one the phase shows."""
    health.enter("running")
    health.degrade("gap", "epochs 3..5 not learned")
    assert (health.state, health.ready()) == ("degraded", [])
    assert health.status()["reasons"] == {"gap": "epochs 3..5 not learned"}
    health.restore("gap")
    health.restore("gap")
    assert health.state == "running"


def get(server: TelemetryServer, path: str, method: str = "GET") -> tuple[int, str]:
    """Status code and body of one request."""
    host, port = server.address
    request = urllib.request.Request(f"http://{host}:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def server(health: Health) -> Iterator[TelemetryServer]:
    metrics = Metrics()
    with TelemetryServer(
        health=health, registry=metrics.registry, status=lambda: {"epoch": 3}, port=0
    ) as running:
        yield running


def test_all_paths_on_one_port(server: TelemetryServer, health: Health) -> None:
    """Probes, status and metrics answer; the code follows the state, the body says why."""
    assert get(server, "/livez") == (200, "ok\n")
    assert get(server, "/readyz") == (503, "starting\n")
    assert get(server, "/startupz") == (503, "starting\n")
    health.enter("running")
    assert get(server, "/readyz?verbose=1") == (200, "ok\n")
    assert get(server, "/startupz") == (200, "ok\n")
    code, body = get(server, "/status")
    assert (code, json.loads(body)["state"], json.loads(body)["epoch"]) == (200, "running", 3)
    assert "streamssl_build_info{" in get(server, "/metrics")[1]
    assert get(server, "/")[0] == 404
    assert get(server, "/livez", "HEAD") == (200, "")
    assert get(server, "/livez", "POST")[0] == 501


def test_an_answer_is_whole(server: TelemetryServer) -> None:
    """Headers and body leave together, so that the process's end cuts no answer in two."""
    for _ in range(20):
        with socket.create_connection(server.address, timeout=5) as client:
            client.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            assert client.recv(4_096).endswith(b"\r\n\r\nok\n")


def test_status_is_json_whatever_the_figures(health: Health) -> None:
    """NaN and infinities become null at any depth: strict readers take the answer."""
    figures = {"loss": float("nan"), "losses": {"moco": float("-inf")}, "lags": (1, float("inf"))}
    registry = Metrics().registry
    with TelemetryServer(
        health=health, registry=registry, status=lambda: figures, port=0
    ) as server:
        code, body = get(server, "/status")
    assert code == 200
    status = json.loads(body, parse_constant=lambda word: pytest.fail(word))
    assert (status["loss"], status["losses"], status["lags"]) == (None, {"moco": None}, [1, None])


def test_a_taken_port_is_explained(server: TelemetryServer, health: Health) -> None:
    """Port in use: one line that names the setting."""
    port = server.address[1]
    with pytest.raises(StreamsslError, match=r"telemetry\.port"):
        TelemetryServer(health=health, registry=Metrics().registry, port=port)


def test_idle_clients_do_not_block_probes(server: TelemetryServer) -> None:
    """Clients that connect and say nothing leave threads for the probes."""
    idle = [socket.create_connection(server.address) for _ in range(3)]
    assert get(server, "/livez")[0] == 200
    for connection in idle:
        connection.close()


def test_a_failing_status_is_contained(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    """An error in a request is logged; the server goes on answering."""

    def broken() -> dict[str, int]:
        raise ValueError("broken")

    registry = Metrics().registry
    with TelemetryServer(health=health, registry=registry, status=broken, port=0) as server:
        with pytest.raises(http.client.RemoteDisconnected):
            get(server, "/status")
        assert get(server, "/livez")[0] == 200
    assert "a telemetry request failed" in caplog.text
