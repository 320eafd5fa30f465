"""What `deploy/` ships names only what this build has."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from streamssl.cli.app import app
from streamssl.config.sections import TelemetryConfig
from streamssl.engine.daemon import DRAIN_LIMIT_S, FORCED_EXIT
from streamssl.telemetry import Metrics

DEPLOY = Path(__file__).parent.parent / "deploy"
NAME = re.compile(r"\b(?:streamssl|process|up)(?:_[a-z_]+)?\b(?=[\[{ )]|$)")
SELECTOR = re.compile(r"(streamssl_\w+)\{(\w+)=\"(\w+)\"")
# Prometheus' own figures of a scrape and of a process.
FOREIGN = {"up", "process_start_time_seconds", "process_max_fds", "process_open_fds"}


def rules() -> list[dict[str, Any]]:
    """Every rule of alerts.yml."""
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_alerts_name_metrics_of_the_catalogue(rule: dict[str, Any]) -> None:
    """Every metric and label value that an alert waits for can be exported."""
    entries = {entry.name: entry for entry in Metrics().catalogue}
    named = set(NAME.findall(rule["expr"]))
    assert named, rule
    assert named <= entries.keys() | FOREIGN
    for metric, label, value in SELECTOR.findall(rule["expr"]):
        assert label in entries[metric].labels
        assert not entries[metric].values or value in entries[metric].values
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert rule["annotations"]["summary"]


def test_alert_labels_exist() -> None:
    """A summary shows only labels that some metric of its expression carries."""
    entries = {entry.name: entry for entry in Metrics().catalogue}
    for rule in rules():
        shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        carried = {"job", "instance"}
        for metric in NAME.findall(rule["expr"]):
            carried |= set(entries[metric].labels) if metric in entries else set()
        assert shown <= carried, rule["alert"]


def test_prometheus_scrapes_the_default_port() -> None:
    """The scrape job is the one that the alerts expect, at the port that a daemon opens."""
    settings = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (job,) = settings["scrape_configs"]
    assert job["job_name"] == "streamssl"
    assert job["static_configs"] == [{"targets": [f"localhost:{TelemetryConfig().port}"]}]
    assert all((DEPLOY / name).is_file() for name in settings["rule_files"])


def test_the_service_runs_a_verb_and_outlasts_a_drain() -> None:
    """The unit starts a command that exists and waits longer than a drain may take."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.read(DEPLOY / "streamssl.service")
    service = unit["Service"]
    verb = shlex.split(service["ExecStart"])[1]
    assert verb in get_command(app).commands  # type: ignore[attr-defined]
    assert int(service["TimeoutStopSec"]) > DRAIN_LIMIT_S
    assert int(service["SuccessExitStatus"]) == FORCED_EXIT
