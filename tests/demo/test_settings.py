"""`demo -c` with another configuration says what it changes, and what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamssl.config import ConfigError
from streamssl.demo.demos import DEFAULT_CONFIG
from streamssl.demo.settings import demo_config, explain
from tests.readme import ROOT


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_the_deployment_s_example_plays() -> None:
    """Its alerts apply; broker, state, metrics and the form of events are the demo's."""
    path = ROOT / "configs" / "sensor.yaml"
    config = demo_config(path, bootstrap_servers="localhost:1", state_dir="elsewhere")
    assert (config.alerts.budget, config.app.name) == (0.001, "sensors")
    assert (config.input.time_field, config.input.topic) == ("time", "sensors")
    assert config.kafka.bootstrap_servers == "localhost:1"
    assert str(config.app.state_dir) == "elsewhere"
    taken, own, budget = explain(path)
    assert taken == (
        f"taken from {path}: app.name, input.topic, modality.kind, modality.fields, alerts.budget"
    )
    assert "app.state_dir, kafka.bootstrap_servers, input.codec, telemetry.port" in own
    assert "0.001, the demo's own 1e-05" in budget


def test_what_the_broker_of_a_deployment_needs_is_left_out(tmp_path: Path) -> None:
    """The demo's own broker knows no TLS and no other fields."""
    text = "kafka: {security_protocol: SSL}\ninput: {codec: arrow, key_field: id}\n"
    config = demo_config(write(tmp_path, text))
    assert config.kafka.security_protocol == "PLAINTEXT"
    assert (config.input.codec, config.input.key_field) == ("json", None)


def test_fields_that_the_machines_lack_are_refused(tmp_path: Path) -> None:
    """Before anything begins, with those that they have."""
    path = write(tmp_path, "modality: {fields: [rpm, valve]}\n")
    with pytest.raises(ConfigError, match="do not measure valve, but rpm, torque") as caught:
        demo_config(path)
    assert caught.value.exit_code == 2
    assert demo_config(write(tmp_path, "modality: {fields: [rpm]}\n")).modality.kind == "sensor"


def test_the_demo_s_own_configuration_is_as_it_stands() -> None:
    """Nothing of it is replaced but what a run needs."""
    config = demo_config(DEFAULT_CONFIG)
    assert config.alerts.budget == 1e-5
    assert config.input.time_field == "time"
