"""The part `kafka`: from topic to topic, ours beside bare clients and Quix Streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from streamssl.bench.speed.bars import ARROW, FLOOR, JSON, LIBRDKAFKA, PACKED, QUIX
from streamssl.bench.speed.bed import Bed, Counted, arrow_rows, one
from streamssl.bench.speed.child import MeasurementError
from streamssl.bench.speed.daemon import RUN, Daemon
from streamssl.bench.speed.exposition import Reading, Window, steady_window
from streamssl.bench.speed.messages import Messages, sample_messages
from streamssl.bench.speed.plan import NUM_CHANNELS, NUM_KEYS
from streamssl.bench.speed.results import Rate, Rates
from streamssl.bench.speed.scripts import (
    NO_PEERS,
    PEERS,
    confluent_python,
    has_confluent,
    has_peers,
    run_script,
)
from streamssl.bench.speed.stream import KEY_FIELD
from streamssl.bench.speed.work import total_operations
from streamssl.config.sections import KafkaConfig
from streamssl.config.settings import Config

_TIMEOUT_S = 600.0
PACKED_OUT = ("outputs.scores.format=arrow", "outputs.embeddings.format=arrow")
ARROW_IN = ("input.codec=arrow", f"input.key_field={KEY_FIELD}")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ours:
    """A row of ours."""

    id: str
    name: str
    settings: tuple[str, ...] = ()
    codec: str = "json"


OURS = (
    Ours(JSON, "ours: JSON in, default outputs"),
    Ours(PACKED, "ours: JSON in, all outputs packed", PACKED_OUT),
    Ours(ARROW, "ours: Arrow IPC in, all outputs packed", (*PACKED_OUT, *ARROW_IN), "arrow"),
)
SECOND = (
    Ours(LIBRDKAFKA, "ours, librdkafka: JSON in, default outputs", ("kafka.client=librdkafka",)),
    Ours(
        f"{PACKED}-librdkafka",
        "ours, librdkafka: JSON in, all outputs packed",
        ("kafka.client=librdkafka", *PACKED_OUT),
    ),
)
QUIX_ROWS = (
    ("quix-none", "Quix Streams, doing nothing", "none"),
    (QUIX, "Quix Streams + river HalfSpaceTrees behind MinMaxScaler", "hst"),
    ("quix-hst-bare", "Quix Streams + river HalfSpaceTrees alone", "hst-bare"),
)


def measure_kafka(bed: Bed, say: Say) -> Rates:
    """Every row, one after another, on the same broker and events."""
    found = Rates(rows=[], left_out=list(_left_out()))
    for name, measure in _rows(bed):
        say(name)
        try:
            found.rows.append(measure())
        except MeasurementError as error:  # One row less is better than no page.
            found.left_out.append(f"{name}: {error}")
    found.operations = {"ours": total_operations(bed.plan.config(), NUM_CHANNELS, NUM_KEYS)}
    return found


@dataclass(frozen=True, slots=True)
class Ran:
    """A daemon that worked off the backlog.

    Attributes:
        rate: By the independent reader.
        window: Of its own figures; None where it had too few events.
        counted: What the reader found in `<app>.scores`.
        config: Its configuration.
    """

    rate: Rate
    window: Window | None
    counted: Counted
    config: Config


def run_ours(
    bed: Bed, row: Ours, launch: tuple[str, ...] = RUN, num_events: int | None = None
) -> Ran:
    """Let the daemon work off the backlog, or so many events of it."""
    config = ours_config(bed, row)
    scores = bed.topic(f"{config.app.name}.scores")
    with Daemon(config, bed.folder, launch) as daemon:
        readings = daemon.read_until(num_events or bed.plan.events, _TIMEOUT_S)
    counted = bed.count(scores, arrow_rows if config.outputs.scores.format == "arrow" else one)
    window = steady_window(readings, readings[-1].events)
    rate = _ours_rate(row, counted, bed.plan.events, window, readings)
    return Ran(rate, window, counted, config)


def ours_config(bed: Bed, row: Ours, *settings: str, topic: str | None = None) -> Config:
    """The configuration of a row, with a state of its own."""
    name = bed.name(row.id)
    return bed.plan.config(
        *row.settings,
        *settings,
        f"app.name={name}",
        f"app.state_dir={bed.folder / name}",
        f"kafka.bootstrap_servers={bed.address}",
        f"input.topic={topic or bed.input(row.codec)}",
    )


def run_floor(bed: Bed, id: str, name: str, messages: Messages, client: str) -> Rate:  # noqa: A002
    """A bare client: consume, produce the same messages in transactions."""
    output, packed = bed.topic(bed.name("floor-out")), bed.topic(bed.name("floor-packed"))
    task = floor_task(bed, messages) | {"output": output, "packed": packed}
    if client == "kafka-python":
        run_script("floors/kafka_python.py", task)
    else:
        run_script("floors/confluent.py", task, confluent_python())
    if messages.value_bytes:
        return _rate(id, name, bed.count(output), bed.plan.events)
    counted = bed.count(packed, lambda m: round(len(m.value or b"") / messages.packed_bytes))
    return _rate(id, name, counted, bed.plan.events)


def floor_task(bed: Bed, messages: Messages, mode: str = "both") -> dict[str, Any]:
    """What a bare client is told, but for its output topics."""
    return {
        "bootstrap": bed.address,
        "input": bed.input("json"),
        "events": bed.plan.events,
        "transaction": bed.plan.config().delivery.max_events,
        "mode": mode,
        "value_bytes": messages.value_bytes,
        "packed_bytes": messages.packed_bytes,
        "headers": messages.headers,
    }


def _rows(bed: Bed) -> Iterator[tuple[str, Callable[[], Rate]]]:
    """Name and measurement of every row that can be measured here."""
    default = sample_messages(bed.plan.config(), bed.events())
    packed = sample_messages(bed.plan.config(*PACKED_OUT), bed.events())
    yield (
        "bare kafka-python",
        lambda: run_floor(
            bed, FLOOR, "bare kafka-python: the default outputs' messages", default, "kafka-python"
        ),
    )
    yield (
        "bare kafka-python, packed",
        lambda: run_floor(
            bed, "floor-packed", "bare kafka-python: results packed", packed, "kafka-python"
        ),
    )
    if confluent_python():
        yield "bare confluent-kafka", lambda: run_floor(
            bed, "confluent-json", "bare confluent-kafka: the default outputs' messages",
            default, "confluent",
        )  # fmt: skip
        yield (
            "bare confluent-kafka, packed",
            lambda: run_floor(
                bed, "confluent-packed", "bare confluent-kafka: results packed", packed, "confluent"
            ),
        )
    for id_, name, detector in QUIX_ROWS if has_peers() else ():
        yield name, _quix(bed, id_, name, detector)
    for row in (*OURS, *(SECOND if _has_second_client() else ())):
        yield row.name, _ours(bed, row)


def _quix(bed: Bed, id_: str, name: str, detector: str) -> Callable[[], Rate]:
    def measure() -> Rate:
        output = bed.topic(bed.name("quix-out"))
        task = {
            "bootstrap": bed.address,
            "input": bed.input("json"),
            "output": output,
            "events": bed.plan.events,
            "state": str(bed.folder / output),
            "detector": detector,
        }
        run_script("peers/quix.py", task, PEERS)
        return _rate(id_, name, bed.count(output), bed.plan.events)

    return measure


def _ours(bed: Bed, row: Ours) -> Callable[[], Rate]:
    return lambda: run_ours(bed, row).rate


def _rate(id_: str, name: str, counted: Counted, expected: int) -> Rate:
    return Rate(
        id=id_,
        name=name,
        events=counted.steady_events,
        seconds=counted.steady_s,
        counted=counted.events,
        expected=expected,
    )


def _ours_rate(
    row: Ours, counted: Counted, expected: int, window: Window | None, readings: list[Reading]
) -> Rate:
    rate = _rate(row.id, row.name, counted, expected)
    seen = window or Window(readings[0], readings[-1])
    rate.trained_per_event = seen.per_event("learn_rows_total", outcome="trained")
    rate.learnt_per_event = seen.per_event("learn_rows_total", outcome="learnt")
    return rate


def _has_second_client() -> bool:
    return "client" in KafkaConfig.model_fields and has_confluent()


def _left_out() -> Iterator[str]:
    if not has_peers():
        yield NO_PEERS
    if confluent_python() is None:
        yield "confluent-kafka is not installed: its floors are left out."
    if "client" not in KafkaConfig.model_fields:
        yield "There is no second client yet (`kafka.client`): its rows are left out."
    elif not has_confluent():
        yield "`pip install streamssl[librdkafka]` for the rows of the second client."
