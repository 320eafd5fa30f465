"""The daemon under measurement: what is scraped of it, and what it says when it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.speed.child import MeasurementError
from benchmarks.speed.daemon import MeasuredDaemon

# Logs where it serves, commits 40 events between two looks, and ends at the fifth look if it is to.
SERVER = """
import itertools, json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
looks = itertools.count(1)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        look = next(looks)
        if "mortal" in sys.argv and look == 5:
            print("out of memory", flush=True)
            os._exit(3)
        self.send_response(200)
        self.end_headers()
        line = 'streamssl_input_events_total{outcome="scored"} %d' % (40 * look)
        self.wfile.write((line + chr(10)).encode())
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(json.dumps({"message": "telemetry", "address": "127.0.0.1:%d" % server.server_port}))
sys.stdout.flush()
server.serve_forever()
"""


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., MeasuredDaemon]:
    """Begins a daemon of made-up figures, which is looked at as often as it answers."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    monkeypatch.setattr("benchmarks.speed.daemon._EVERY_S", 0.01)
    return lambda *words: MeasuredDaemon(*words, log_path=tmp_path / "log", entry=(str(script),))


def test_it_is_scraped_until_the_last_event_is_committed(
    measured: Callable[..., MeasuredDaemon],
) -> None:
    """Every scrape is kept, each at its moment; those before it answers are none."""
    with measured() as daemon:
        scrapes = daemon.scrape_until(100, timeout_s=60.0)
    assert [scrape.events for scrape in scrapes] == [40, 80, 120]
    assert sorted(scrape.at_s for scrape in scrapes) == [scrape.at_s for scrape in scrapes]


def test_one_that_ends_says_why(measured: Callable[..., MeasuredDaemon]) -> None:
    """The error has the exit code and the end of its log; nobody waits for the rest."""
    with (
        measured("mortal") as daemon,
        pytest.raises(MeasurementError, match=r"exit code 3; its last lines:[\s\S]*out of memory"),
    ):
        daemon.scrape_until(10_000, timeout_s=60.0)


def test_one_that_takes_too_long_says_how_far_it_came(
    measured: Callable[..., MeasuredDaemon],
) -> None:
    """Events that were committed, and those that should be."""
    with (
        measured() as daemon,
        pytest.raises(MeasurementError, match="of 10000000 events within 0 s"),
    ):
        daemon.scrape_until(10_000_000, timeout_s=0.1)
