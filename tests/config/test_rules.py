"""Rules between settings, of one section and of several, and the budget."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streamssl.config.budget import Budget, parse_budget
from streamssl.config.sections import OUTPUTS, KafkaConfig
from streamssl.config.settings import ConfigError, load_config

NO_WEIGHTS = {name: {"weight": 0} for name in ("moco", "next_step", "autoencoder")}


@pytest.mark.parametrize(
    ("values", "path", "remedy"),
    [
        ({"kafka": {"bootstrap_servers": "a,b:1"}}, "kafka.bootstrap_servers", "broker-1:9092"),
        ({"kafka": {"bootstrap_servers": "a:70000"}}, "kafka.bootstrap_servers", "host:port"),
        ({"kafka": {"security_protocol": "SASL_SSL"}}, "kafka.sasl_mechanism", "is needed"),
        ({"kafka": {"sasl_mechanism": "PLAIN"}}, "kafka.sasl_mechanism", "no effect"),
        (
            {
                "kafka": {
                    "security_protocol": "SASL_SSL",
                    "sasl_mechanism": "PLAIN",
                    "sasl_plain_username": "u",
                }
            },
            "kafka.sasl_plain_password",
            "sasl_plain_password_file",
        ),
        ({"kafka": {"ssl_cafile": "x"}}, "kafka.ssl_cafile", "no effect"),
        (
            {"kafka": {"security_protocol": "SSL", "ssl_cafile": "no/such"}},
            "kafka.ssl_cafile",
            "no such file",
        ),
        (
            {"delivery": {"commit_interval_ms": 10_000}},
            "delivery.commit_interval_ms",
            "kafka.transaction_timeout_ms (10000)",
        ),
        ({"kafka": {"request_timeout_ms": 500}}, "kafka.request_timeout_ms", "above 500"),
        *(
            ({"input": {"topic": f"streamssl.{word}"}}, "input.topic", "change app.name")
            for word in OUTPUTS
        ),
        ({"input": {"topic": "a b"}}, "input.topic", "letters"),
        ({"input": {"time_field": ""}}, "input.time_field", "write null"),
        ({"app": {"state_dir": ""}}, "app.state_dir", "names no folder"),
        ({"app": {"state_dir": "~/state"}}, "app.state_dir", "write the whole path"),
        ({"app": {"seed": 10**30}}, "app.seed", "must be below 9223372036854775808"),
        ({"learn": {"burst_after": 10**20}}, "learn.burst_after", "must be below"),
        ({"learner": {"num_threads": 100_000}}, "learner.num_threads", "at most 1024"),
        ({"outputs": {"replication_factor": 0}}, "outputs.replication_factor", "write -1"),
        ({"kafka": {"session_timeout_ms": 2**31}}, "kafka.session_timeout_ms", "at most"),
        ({"app": {"instance": 16}}, "app.instance", "outputs.journal_partitions"),
        ({"kafka": {"sasl_plain_password": "x"}}, "kafka.sasl_plain_password", "is not sent"),
        ({"modality": {"fields": ["t"]}, "input": {"time_field": "t"}}, "input.time_field", "once"),
        ({"input": {"time_field": "t", "key_field": "t"}}, "input.key_field", "name it once"),
        ({"modality": {"fields": []}}, "modality.fields", "auto"),
        ({"modality": {"fields": ["a", "a"]}}, "modality.fields", "twice"),
        (
            {"modality": {"fields": ["ab"]}, "input": {"ignore_fields": ["a*"]}},
            "input.ignore_fields",
            "drop one",
        ),
        ({"objectives": NO_WEIGHTS}, "objectives", "learn.enabled: false"),
        ({"scorers": {"core": {"enabled": False}}}, "scorers", "nothing can be scored"),
        (
            {"scorers": {"gate": {"quarantine_min": 4_000}}},
            "scorers.gate.quarantine_min",
            "quarantine_max",
        ),
        (
            {"alerts": {"calibration_memory": 100}},
            "alerts.calibration_warmup",
            "calibration_memory (100)",
        ),
    ],
)
def test_broken_rules_name_the_setting_and_the_remedy(
    values: dict[str, Any], path: str, remedy: str
) -> None:
    """Settings that contradict each other are refused at the door, with a way out."""
    with pytest.raises(ConfigError) as caught:
        load_config(values, environ={})
    lines = [str(p) for p in caught.value.problems if p.path == path]
    assert any(remedy in line for line in lines), caught.value


def test_broken_rules_of_several_sections_are_told_together() -> None:
    """Each with its whole path and the place that it was given at; `Config` alone tells as much."""
    values = {"kafka": {"sasl_mechanism": "PLAIN"}, "modality": {"fields": []}}
    with pytest.raises(ConfigError) as caught:
        load_config(values, ["alerts.calibration_warmup=99999"], environ={})
    assert [(p.path, p.where) for p in caught.value.problems] == [
        ("kafka.sasl_mechanism", ""),
        ("modality.fields", ""),
        ("alerts.calibration_warmup", "--set alerts.calibration_warmup"),
    ]
    with pytest.raises(ValidationError, match="sasl_mechanism: has no effect with PLAINTEXT"):
        KafkaConfig(sasl_mechanism="PLAIN")


def test_what_needs_the_networks_is_named_where_there_are_none() -> None:
    """Every setting that asks for them, with its remedy; without them all is well."""
    off: dict[str, Any] = {"learner": {"enabled": False}}
    with pytest.raises(ConfigError) as caught:
        load_config(off, environ={})
    told = {p.path: str(p) for p in caught.value.problems}
    assert set(told) == {
        "scorers.residual.enabled",
        "outputs.embeddings.enabled",
        "alerts.neighbours",
    }
    assert all("set it to" in text for text in told.values())
    off |= {
        "scorers": {"residual": {"enabled": False}},
        "outputs": {"embeddings": {"enabled": False}},
        "alerts": {"neighbours": 0},
        "objectives": NO_WEIGHTS,
    }
    assert not load_config(off, environ={}).learner.enabled


def test_no_objectives_are_fine_without_learning() -> None:
    """Switching learning off needs no objectives."""
    values = {"objectives": NO_WEIGHTS, "learn": {"enabled": False}}
    assert not load_config(values, environ={}).learn.enabled


@given(st.floats(1e-9, 0.999), st.floats(1e-3, 1e6))
def test_a_budget_reads_back_what_it_prints(share: float, per_day: float) -> None:
    """Both units are read from numbers and from text."""
    assert parse_budget(share) == parse_budget(repr(share)) == Budget(share=share)
    assert parse_budget(f" {per_day!r} / day ") == Budget(per_day=per_day)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, "0/day", "-1/day", "x", "1/hour", "nan", ""])
def test_impossible_budgets_are_refused(value: float | str) -> None:
    """Nothing outside (0, 1) or a positive number a day is a budget."""
    with pytest.raises(ValueError, match="20/day"):
        parse_budget(value)
