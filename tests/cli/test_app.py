"""The command line: exit codes, errors without traceback, and what validate and schema print."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamssl import __version__
from streamssl import engine as engine_module
from streamssl.checkpoint import CheckpointError
from streamssl.checkpoint.snapshot import snapshot
from streamssl.cli.app import main
from streamssl.cli.reference import PAGES
from streamssl.cli.validate import memory_report
from streamssl.config import Config, load_config
from streamssl.config.paths import Tree
from streamssl.telemetry import Metrics
from tests.stream.streams import small_learner, stream

ROOT = Path(__file__).parents[2]
SENSOR = str(ROOT / "configs" / "sensor.yaml")
HERE = "learner.own_process=false"  # These tests end no process.


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs a command line in this process."""

    def call(*args: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["streamssl", *args])
        monkeypatch.setattr("streamssl.cli.run.leave", sys.exit)
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        with pytest.raises(SystemExit) as ended:
            main()
        root.handlers[:], root.level = handlers, level
        logging.captureWarnings(False)
        told = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), told.out, told.err)

    return call


def test_version_and_help(cli: Callable[..., Outcome]) -> None:
    """`--version` and `--help` answer and end with 0; help names every verb."""
    assert cli("--version") == Outcome(0, f"streamssl {__version__}\n", "")
    told = cli("--help")
    assert told.code == 0
    for verb in ("run", "replay", "validate", "schema", "demo", "bench"):
        assert verb in told.out


@pytest.mark.parametrize(
    ("args", "code"), [(["--help"], 0), (["schema"], 0), (["run", "-c", "absent.yaml"], 2)]
)
def test_cheap_commands_load_no_torch(args: list[str], code: int) -> None:
    """The installed command answers at once where nothing is computed."""
    script = (
        "import sys\nfrom streamssl.cli.app import main\n"
        "try: main()\nfinally: print('torch' in sys.modules, file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, *args], capture_output=True, text=True, timeout=120
    )
    assert (told.returncode, told.stderr.splitlines()[-1]) == (code, "False")


@pytest.mark.parametrize("args", [["nonsense"], ["run"], ["validate", "--nonsense"]])
def test_usage_errors_end_with_2(cli: Callable[..., Outcome], args: list[str]) -> None:
    """Unknown verbs and options and missing ones are usage errors."""
    assert cli(*args).code == 2


def test_configuration_errors_end_with_2(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    """Each problem is one line on standard error, without a traceback."""
    file = tmp_path / "c.yaml"
    file.write_text("learn: {evry: 3}\n")
    for verb in ("run", "validate"):
        told = cli(verb, "-c", str(file), "--set", "app.seed=x")
        assert (told.code, told.out) == (2, "")
        lines = told.err.splitlines()
        assert len(lines) == 2
        assert lines[0].startswith("error: app.seed: must be a whole number")
        assert lines[1].startswith("error: learn.evry: unknown key; did you mean learn.every?")


def test_run_hands_over_to_the_engine(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The engine gets the loaded configuration; its code is the command's."""
    seen: list[tuple[Config, None, Path | None]] = []

    def fake(config: Config, learner: None, init_from: Path | None) -> int:
        seen.append((config, learner, init_from))
        return 5

    monkeypatch.setattr(engine_module, "run_daemon", fake, raising=False)
    overrides = ["app.seed=9", HERE]
    sets = [word for override in overrides for word in ("--set", override)]
    assert cli("run", "-c", SENSOR, *sets, "--init-from", str(tmp_path)).code == 5
    assert seen == [(load_config(SENSOR, overrides), None, tmp_path)]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (CheckpointError("all corrupt; restore one"), 4, "error: all corrupt; restore one\n"),
        (ZeroDivisionError("oops"), 1, "ZeroDivisionError: oops"),
    ],
)
def test_errors_of_the_engine(
    cli: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    text: str,
) -> None:
    """What the user can mend is one line and its own code; anything else is logged and ends 1."""

    def fail(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr(engine_module, "run_daemon", fail, raising=False)
    told = cli("run", "-c", SENSOR, "--set", HERE)
    assert told.code == code
    assert text in told.err
    assert ("Traceback" in told.err) == (code == 1)


def test_validate_tells_what_and_how_much(cli: Callable[..., Outcome]) -> None:
    """The example is valid; highlights and the cost in memory are printed."""
    told = cli("validate", "-c", SENSOR, "--columns", "38")
    assert told.code == 0
    assert "sensor.yaml is valid" in told.out
    outputs = "sensors.scores (json), sensors.embeddings (arrow), sensors.incidents (json)"
    assert f"{outputs}, sensors.dlq, sensors.spaces, sensors.journal\n" in told.out
    assert "at most one incident in 1,000 events of a key in the long run" in told.out
    assert "each key (38 columns)" in told.out
    assert cli("validate", "-c", SENSOR, "--channels", "38").out == told.out


def test_validate_refuses_what_run_would(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    """An objective that the networks of the modality do not serve."""
    path = tmp_path / "toy.yaml"
    path.write_text("modality: {kind: toy}\n")
    told = cli("validate", "-c", str(path))
    assert told.code == 2
    assert "objectives.next_step.weight" in told.err


def test_validate_shows_no_secret(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password is neither printed nor part of the schema."""
    monkeypatch.setenv("STREAMSSL_KAFKA__SASL_PLAIN_PASSWORD", "hunter2")
    sasl = ("security_protocol=SASL_SSL", "sasl_mechanism=PLAIN", "sasl_plain_username=u")
    options = [word for text in sasl for word in ("--set", f"kafka.{text}")]
    told = cli("validate", "-c", SENSOR, *options)
    assert told.code == 0
    assert "hunter2" not in told.out + told.err


def test_memory_grows_with_keys_and_columns() -> None:
    """More keys or columns cost more; columns that are named are counted as they are."""

    def total(num_numbers: int, *overrides: str) -> str:
        return memory_report(load_config({}, overrides, environ={}), num_numbers)[-1]

    assert total(4, "modality.max_keys=10") != total(4, "modality.max_keys=100000")
    assert "GiB" in total(500)
    assert "MiB" in total(4, "modality.max_keys=10")
    assert total(4) == total(500, "modality.fields=[a, b, c, d]")


def test_the_memory_told_is_what_the_state_takes() -> None:
    """A key, and a key with covariances of its own, cost what the arrays of a used model hold."""

    def held(num_keys: int) -> int:
        learner = small_learner(scorers={"own_keys": 2}, learn={"enabled": False, "every": 64})
        learner.learn(stream(640, num_keys=num_keys, num_partitions=1))
        model = learner._model
        assert model is not None
        sizes[num_keys] = (model.keys.bytes_per_key(), model.ensemble.bytes_per_own_key())
        arrays = snapshot(model.state_dict()).arrays
        fixed = ("replay", "memory", "solver.anchors", ".map.")  # whatever the number of keys
        return sum(a.nbytes for name, a in arrays.items() if not any(f in name for f in fixed))

    sizes: dict[int, tuple[int, int]] = {}
    one, two, nine = held(1), held(2), held(9)
    per_key, per_own_key = sizes[1]
    assert sizes[9] == sizes[1]
    assert (two - one) == pytest.approx(per_key + per_own_key, rel=0.05)
    assert (nine - two) == pytest.approx(7 * per_key, rel=0.1)


@pytest.mark.kafka
def test_validate_online(
    cli: Callable[..., Outcome],
    kafka_broker: object,
    unique_name: Callable[[str], str],
) -> None:
    """A missing input topic ends with 3; an existing one is described, and nothing is created."""
    from streamssl.config.sections import KafkaConfig
    from streamssl.devkit.clients import create_topic

    servers: str = kafka_broker.bootstrap_servers  # type: ignore[attr-defined]
    app, topic = unique_name("app"), unique_name("input")
    options = [f"kafka.bootstrap_servers={servers}", f"app.name={app}", f"input.topic={topic}"]
    args = [word for option in options for word in ("--set", option)]
    told = cli("validate", "-c", SENSOR, "--online", *args)
    assert told.code == 3
    assert "does not exist" in told.err
    create_topic(KafkaConfig(bootstrap_servers=servers), topic, 3)
    for _ in range(2):
        told = cli("validate", "-c", SENSOR, "--online", *args)
        assert told.code == 0
        assert f"input {topic}: 3 partitions" in told.out
        assert f"a start will create: {app}.dlq" in told.out
        assert "sample: there is no message to look at" in told.out
    told = cli("validate", "-c", SENSOR, "--online", *args, "--set", "outputs.replication_factor=9")
    assert told.code == 3
    assert "lower outputs.replication_factor" in told.err


@pytest.mark.kafka
def test_validate_online_looks_at_the_newest_messages(
    cli: Callable[..., Outcome],
    kafka_broker: object,
    unique_name: Callable[[str], str],
) -> None:
    """Of all partitions, 200 in all; no group is joined, nothing committed or created."""
    from streamssl.config.sections import KafkaConfig
    from streamssl.devkit.clients import TopicWriter, create_topic
    from streamssl.transport.kafka.security import client_settings
    from streamssl.transport.kafka.topics import Admin

    servers: str = kafka_broker.bootstrap_servers  # type: ignore[attr-defined]
    app, topic = unique_name("app"), unique_name("input")
    kafka = KafkaConfig(bootstrap_servers=servers)
    create_topic(kafka, topic, 3)
    with TopicWriter(kafka, topic) as writer:
        for n in range(303):
            value = b"{" if n == 300 else json.dumps({"rpm": n % 7, "temp": 20.5}).encode()
            writer.send(value, key=b"m%d" % (n % 3), partition=n % 3)
        writer.flush()
    options = [f"kafka.bootstrap_servers={servers}", f"app.name={app}", f"input.topic={topic}"]
    args = [word for option in options for word in ("--set", option)]
    for _ in range(2):
        told = cli("validate", "-c", SENSOR, "--online", *args)
        assert told.code == 0
        assert "the newest 200 messages of 3 partitions" in told.out
        assert "channels: rpm, temp (auto" in told.out
        assert "3 in 199 events, 0 without one" in told.out
        assert "1 bad_json (first at partition 0, offset 100" in told.out
        assert "set input.codec" in told.out
    admin = Admin(client_settings(kafka))
    try:
        assert app not in {group["group_id"] for group in admin.client.list_groups()}
        assert admin.absent([f"{app}.scores"])
    finally:
        admin.close()


def test_an_unreachable_broker_ends_with_3(cli: Callable[..., Outcome]) -> None:
    """Online validation of a broker that is not there is a clear error with exit code 3."""
    told = cli(
        *("validate", "-c", SENSOR, "--online", "--set", "kafka.start_timeout_s=0.5"),
        *("--set", "kafka.bootstrap_servers=127.0.0.1:1"),
    )
    assert told.code == 3
    assert "kafka.bootstrap_servers" in told.err


def test_the_schema_is_json(cli: Callable[..., Outcome]) -> None:
    """`schema` prints a JSON Schema with every section that forbids unknown keys."""
    schema = json.loads(cli("schema").out)
    assert set(schema["properties"]) == set(Config.model_fields)
    assert schema["additionalProperties"] is False


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("page", sorted(PAGES))
def test_reference_pages_are_current(page: str) -> None:
    """The committed page is what the code says now (else: `streamssl schema --docs docs`)."""
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == PAGES[page]()


def test_pages_can_be_written(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    """`schema --docs` writes every page."""
    assert cli("schema", "--docs", str(tmp_path)).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PAGES)


def test_every_setting_and_metric_is_documented() -> None:
    """Each setting has a description and each metric appears on its page."""
    assert [path for path, field in Tree().settings() if not field.description] == []
    page = PAGES["metrics.md"]()
    assert all(f"`{entry.name}`" in page for entry in Metrics().catalogue)


def test_a_page_that_cannot_be_written_is_told(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    """A folder stands where the page belongs: exit code 2, no traceback."""
    (tmp_path / "configuration.md").mkdir()
    outcome = cli("schema", "--docs", str(tmp_path))
    assert outcome.code == 2
    assert "cannot be written" in outcome.err
