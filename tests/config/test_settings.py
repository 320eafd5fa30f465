"""Loading: precedence, secrets, and errors that a person can act on."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from streamssl.config.sections import LearnConfig
from streamssl.config.settings import Config, ConfigError, load_config, secret_values


def problems(*args: object, **kwargs: object) -> list[str]:
    """The lines of the error that loading must raise."""
    kwargs.setdefault("environ", {})
    with pytest.raises(ConfigError) as caught:
        load_config(*args, **kwargs)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def write(path: Path, text: str) -> Path:
    """A file with that text."""
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_are_valid() -> None:
    """An empty configuration works: every setting has a default."""
    assert load_config(environ={}) == Config() == load_config({}, environ={})


def test_later_layers_win(tmp_path: Path) -> None:
    """Precedence is file, then environment, then --set; untouched settings stay."""
    file = write(tmp_path / "c.yaml", "learn: {every: 64, batch: 8}\napp:\n  seed: 1\n  name: a\n")
    environ = {"STREAMSSL_LEARN__EVERY": "128", "STREAMSSL_APP__SEED": "2"}
    config = load_config(file, ["app.seed=3"], environ=environ)
    assert (config.learn.every, config.learn.batch) == (128, 8)
    assert (config.app.seed, config.app.name) == (3, "a")


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("modality.fields=[a, b]", ["a", "b"]),
        ("modality.fields=auto", "auto"),
        ("input.ignore_fields=[a, 'b*']", ["a", "b*"]),
        ("modality.key_ttl=null", None),
        ("modality.key_ttl=1e3", 1000.0),
        ("modality.required=true", True),
        ("app.name=007", "007"),
        ("kafka.sasl_plain_username={u}", "{u}"),
        ("objectives.moco.weight=0.5", 0.5),
        ("alerts.budget=1e-5", 1e-5),
        ("alerts.budget=20/day", "20/day"),
    ],
)
def test_text_becomes_the_settings_type(override: str, value: object) -> None:
    """Text from --set is converted by the setting's type: text stays text, lists are YAML."""
    name = override.partition("=")[0].split(".")
    config: object = load_config({}, [override], environ={})
    for part in name:
        config = getattr(config, part)
    assert config == value


def test_a_whole_section_can_be_overridden() -> None:
    """A section given on the command line changes the keys that it names and no others."""
    config = load_config({}, ["learn={every: 64, batch: 8}"], environ={})
    assert config.learn == LearnConfig(every=64, batch=8)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    """Every problem of every layer is one line that says what, where and what to do."""
    text = "kafka:\n  bootstrap_server: x:1\nlearner:\n  momentum: 1.5\nlearn: 4\napp: {name: 42}\n"
    file = write(tmp_path / "c.yaml", text)
    environ = {"STREAMSSL_LEARN__EVRY": "3"}
    lines = problems(file, ["outputs.score.enabled=no", "nonsense"], environ=environ)
    assert sorted(lines) == sorted(
        [
            f"app.name: must be text (put it in quotes), got 42 [{file}, line 6]",
            "kafka.bootstrap_server: unknown key; did you mean kafka.bootstrap_servers? "
            f"[{file}, line 2]",
            f"learn: must be a section of `key: value` lines, got 4 [{file}, line 5]",
            f"learner.momentum: must be at most 1.0, got 1.5 [{file}, line 4]",
            "learn.evry: unknown key; did you mean learn.every? "
            "[environment variable STREAMSSL_LEARN__EVRY]",
            "must be section.key=value [--set nonsense]",
            "outputs.score.enabled: unknown key; did you mean outputs.scores.enabled? "
            "[--set outputs.score.enabled]",
        ]
    )


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("kafka.sessiontimeout_ms", "kafka.session_timeout_ms"),
        ("bootstrap_servers", "kafka.bootstrap_servers"),
        ("learn.learning_rate", "learner.learning_rate"),
        ("scorer", "scorers"),
        ("objectives.moco.temprature", "objectives.moco.temperature"),
    ],
)
def test_the_nearest_key_is_named_in_full(path: str, nearest: str) -> None:
    """A typo, a forgotten section or the wrong one leads to the full path of the right key."""
    assert f"{path}: unknown key; did you mean {nearest}?" in problems({}, [f"{path}=1"])[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "no valid YAML"),
        ("[" * 5_000, "no valid YAML"),
        ("- a", "must hold sections"),
        ("learn: {every: 64}\nlearn: {batch: 8}", "learn: is given twice"),
        ("learn:\n  every: 64\n  every: 32", "learn.every: is given twice"),
        ("app: {name: !!python/object:os.system x}", "no valid YAML"),
        ("modality: {window: .nan}", "must be a finite number"),
        ("modality: {fields: 7}", "must be 'auto' or a list, got 7"),
        ("input: {codec: avro}", "must be 'json' or 'arrow', got 'avro'"),
        ("input: {ignore_fields: [a, 1]}", "item 2 must be text"),
        ("alerts: {budget: 2/hour}", "20/day"),
        ("alerts: {budget: 1}", "between 0 and 1"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, text: str, message: str) -> None:
    """Broken YAML, repeated keys, Python tags and wrong types end in a clear line, no traceback."""
    assert message in problems(write(tmp_path / "c.yaml", text))[0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A wrong path is an error that names the path."""
    assert "no.yaml: No such file" in problems(tmp_path / "no.yaml")[0]


def test_empty_files_and_sections_are_defaults(tmp_path: Path) -> None:
    """An empty file, or a section with nothing under it, leaves the defaults."""
    assert load_config(write(tmp_path / "a.yaml", ""), environ={}) == Config()
    assert load_config(write(tmp_path / "b.yaml", "learn:\n"), environ={}) == Config()


def test_foreign_variables_are_left_alone() -> None:
    """Variables of the tests and those that Kubernetes makes for services are no settings."""
    environ = {
        "STREAMSSL_BENCH_DATA": "x",
        "STREAMSSL_TEST_BOOTSTRAP": "x",
        "STREAMSSL_PORT_9464_TCP_ADDR": "10.0.0.1",
        "STREAMSSL_KAFKA_SERVICE_HOST": "10.0.0.1",
        "STREAMSSL_KAFKA_PORT": "tcp://10.0.0.1:9092",
    }
    assert load_config({}, environ=environ) == Config()


def test_one_underscore_too_few_is_recognised() -> None:
    """A variable that lacks the second underscore is an error that shows the right spelling."""
    (line,) = problems({}, environ={"STREAMSSL_KAFKA_BOOTSTRAP_SERVERS": "b:1"})
    assert "write STREAMSSL_KAFKA__BOOTSTRAP_SERVERS" in line


SASL = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_plain_username": "u"}


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    """`*_file` is read at load without its line end; the secret appears in no rendering."""
    file = write(tmp_path / "password", "hunter2\n")
    config = load_config({"kafka": {**SASL, "sasl_plain_password_file": str(file)}}, environ={})
    assert config.kafka.sasl_plain_password is not None
    assert config.kafka.sasl_plain_password.get_secret_value() == "hunter2"
    assert secret_values(config) == ("hunter2",)
    assert "hunter2" not in repr(config) + config.model_dump_json()


def test_secret_problems_do_not_leak(tmp_path: Path) -> None:
    """Given twice, unreadable, of a wrong type, misspelt or on the command line: no value shown."""
    file = write(tmp_path / "password", "hunter2")
    twice = {"sasl_plain_password": "hunter2", "sasl_plain_password_file": str(file)}
    assert "is given twice" in problems({"kafka": SASL | twice})[0]
    missing = {"sasl_plain_password_file": str(tmp_path / "no")}
    assert "cannot read" in problems({"kafka": SASL | missing})[0]
    shown = problems({"kafka": {"sasl_plain_password": 12345, "sasl_pasword": "hunter2"}})
    shown += problems({}, ["kafka.sasl_plain_password=hunter2"])
    assert "12345" not in str(shown)
    assert "hunter2" not in str(shown)
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"kafka": {"sasl_plain_password": 12345}})
    assert "12345" not in str(caught.value)


def test_secrets_come_from_the_environment() -> None:
    """A password in the environment is taken as it stands, YAML characters included."""
    environ = {"STREAMSSL_KAFKA__SASL_PLAIN_PASSWORD": "[0]: null"}
    config = load_config({"kafka": SASL}, environ=environ)
    assert secret_values(config) == ("[0]: null",)


def test_sections_are_immutable() -> None:
    """A loaded configuration cannot change behind the engine's back."""
    with pytest.raises(ValidationError):
        Config().learn.every = 1  # type: ignore[misc]


@pytest.mark.parametrize("content", ["app: {name: caf\xe9}".encode("latin-1"), b"\xff\xfea\0"])
def test_a_file_in_another_encoding_says_how_to_save_it(tmp_path: Path, content: bytes) -> None:
    """It was named already: what mends it is its encoding."""
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    (problem,) = problems(file)
    assert str(file) in problem
    assert problem.endswith("save it as UTF-8")
    (problem,) = problems(tmp_path / "no.yaml")
    assert problem.endswith("name a readable file with -c")
