"""The measurements that need no broker: counting, matching, spans, the memory part."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from benchmarks.speed import child, journey, memory, run, scripts
from benchmarks.speed.counting import steady
from benchmarks.speed.learner import LearnerTask, measure_keys, measure_rate
from benchmarks.speed.machine import measure_machine
from benchmarks.speed.messages import sample_messages
from benchmarks.speed.plan import SpeedPlan, TooFewEventsError
from benchmarks.speed.results import Rate
from benchmarks.speed.scrapes import Scrape
from benchmarks.speed.stream import arrow_messages, generate, json_messages
from benchmarks.speed.waits import checkpoint_spans, during, match, quantiles
from streamssl.cli.bench import bench_app
from streamssl.data.events import Message
from tests.benchmarks.speed.scrapes import MACHINE

LIGHT = ("learn.burst_steps=0", "learner.hidden=16", "modality.window=8")


def test_the_stream_is_the_same_for_the_same_seed_and_keys_stay_in_their_partition() -> None:
    """Offsets are consecutive in each partition, as a broker gives them."""
    first, again = (generate(400, num_channels=3, num_keys=20, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.values_BC, again.values_BC)
    homes = set(zip(first.keys.to_pylist(), first.partition.tolist(), strict=True))
    assert len(homes) == len(set(first.keys.to_pylist()))
    for partition in range(4):
        rows = first.partition == partition
        np.testing.assert_array_equal(first.offset[rows], np.arange(rows.sum()))


def test_parts_of_a_stream_have_other_events_of_keys_at_the_same_levels() -> None:
    """What is timed after a warm-up is no level shift of every key."""
    first, second = (generate(6_000, num_channels=3, num_keys=2, part=part) for part in range(2))
    assert not np.array_equal(first.values_BC, second.values_BC)
    levels = [
        [np.median(batch.values_BC[batch.partition == key], axis=0) for key in range(2)]
        for batch in (first, second)
    ]
    np.testing.assert_allclose(levels[0], levels[1], atol=0.1)


def test_messages_hold_every_event_once() -> None:
    """JSON of about 170 bytes an event at 16 floats, or Arrow with many rows."""
    batch = generate(1_200, num_channels=16, num_keys=50)
    sizes = [len(value) for _, _, value in json_messages(batch)]
    assert len(sizes) == 1_200
    assert 150 < np.mean(sizes) < 190
    tables = [pa.ipc.open_stream(value).read_all() for _, _, value in arrow_messages(batch)]
    assert sum(table.num_rows for table in tables) == 1_200


def test_bare_clients_send_what_the_daemon_would() -> None:
    """The sizes of its own encoders: a message an event, or everything packed."""
    batch = generate(300, num_channels=4, num_keys=5)
    default = sample_messages(SpeedPlan(overrides=LIGHT).config(), batch)
    packed = sample_messages(
        SpeedPlan(overrides=LIGHT).config("outputs.scores.format=arrow"), batch
    )
    assert default.value_bytes > 200
    assert "ce_id" in dict(default.headers)
    assert packed.value_bytes == 0
    assert packed.packed_bytes > default.packed_bytes > 4 * 64


def test_the_steady_rate_is_taken_between_appends() -> None:
    """What came in one transaction came at one moment; the ends are left out."""
    append_M = np.repeat(np.arange(0, 1_000, 100), 10)
    events, seconds = steady(append_M, np.ones(100, np.int64))
    assert events / seconds == pytest.approx(100.0)
    assert 0 < events < 100


def test_a_result_is_matched_with_the_append_of_its_input() -> None:
    """Results of a partition come in the order of its input, whatever the others do."""
    appended = [
        Message(p, o, None, b"", timestamp_ms=1_000 * o + p) for o in range(80) for p in (0, 1)
    ]
    receipts = [(p, o + 0.5) for p in (1, 0) for o in range(80)]
    observed = match(appended, receipts, num_skipped=64)
    found = quantiles("all", observed, during(observed, [(0.0, 1e9)]))
    assert found.events == 160 - 64
    assert 498.0 < found.p50_ms <= found.max_ms <= 500.1
    assert quantiles("none", observed, during(observed, [])).events == 0


def test_checkpoints_are_found_in_the_daemons_own_figures() -> None:
    """From the moment of success back by the duration; scrapes without news give no span."""

    def told(at_s: float, done_s: float, total_s: float) -> Scrape:
        success = f"streamssl_checkpoint_last_success_timestamp_seconds {done_s}\n"
        seconds = f"streamssl_checkpoint_duration_seconds_sum {total_s}\n"
        return Scrape(at_s, success + seconds)

    moments = [(1.0, 0.0, 0.0), (2.0, 1.9, 0.4), (3.0, 1.9, 0.4), (9.0, 8.5, 1.0)]
    scrapes = [told(*moment) for moment in moments]
    assert checkpoint_spans(scrapes) == [
        pytest.approx((1.5, 1.9)),
        pytest.approx((7.9, 8.5)),
    ]


def test_the_machine_is_measured() -> None:
    """Plausible rates of any computer; small arrays here."""
    machine = measure_machine(num_bytes=2**20, tries=1)
    assert machine.cores >= 1
    assert min(machine.bytes_per_s, machine.operations_per_s) > 1e7


def test_rates_and_keys_are_measured_in_memory() -> None:
    """The learner's own figures, on a few events; memory is stated for every number of keys."""
    task = LearnerTask(events=128, channels=3, keys=40, settings=LIGHT)
    assert measure_rate(task).per_s > 0.0
    found = measure_keys(
        LearnerTask(events=64, channels=3, keys=40, settings=LIGHT, checkpoint=True)
    )
    assert found.row.stated_bytes > 1_000
    assert found.checkpoint is not None
    assert found.checkpoint.num_bytes > 40 * found.row.stated_bytes


def test_the_memory_part_runs_from_the_command_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours and `replay` stand in one table; without the peers' environment a visible note."""
    monkeypatch.setattr(scripts, "PEERS", tmp_path / "nowhere")
    monkeypatch.setattr(memory, "measure", lambda _, task, __: measure_rate(task))
    monkeypatch.setattr(memory, "SHAPES", ((4, 1),))
    monkeypatch.setattr(memory, "REPLAYS", memory.REPLAYS[:1])
    monkeypatch.setattr(memory, "matrix_rate", lambda: MACHINE.operations_per_s)
    page = tmp_path / "performance.md"
    words = ["speed", "--parts", "memory", "--events", "1000", "--output", str(page)]
    words += ["--work", str(tmp_path / "parts")]
    words += [word for setting in LIGHT for word in ("--set", setting)]
    result = CliRunner().invoke(bench_app, words, catch_exceptions=False)
    text = page.read_text()
    assert result.exit_code == 0
    for row in ("streamssl, default |", "statistical core alone |", "streamssl replay, default"):
        assert row in text
    assert "*Left out:* The peers' environment is missing: `make peers`" in text
    assert "HalfSpaceTrees behind" not in text.split("## In memory")[1]
    assert (tmp_path / "performance" / "memory.json").exists()


def test_too_few_events_for_the_stages_are_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has what is needed, what there is, and both remedies; no broker is begun."""
    monkeypatch.setattr(run, "Bed", None)
    words = ["speed", "--parts", "stages,memory", "--events", "8191"]
    words += ["--output", str(tmp_path / "page.md"), "--work", str(tmp_path / "parts")]
    with pytest.raises(TooFewEventsError, match=r"8,192 events .* there are 8,191") as told:
        CliRunner().invoke(bench_app, words, catch_exceptions=False)
    assert "--events 8192" in str(told.value)
    assert "--set delivery.max_events=4095" in str(told.value)
    assert list(tmp_path.iterdir()) == []
    SpeedPlan(events=8_191).check(("kafka", "memory"))
    SpeedPlan(events=8_191, overrides=("delivery.max_events=4095",)).check(("stages",))


def test_stages_without_a_steady_window_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that was quicker than two looks at it gives no stage times: more events do."""
    monkeypatch.setattr(journey, "measure_machine", lambda: MACHINE)
    monkeypatch.setattr(journey, "bare_client_s", lambda _: {})
    monkeypatch.setattr(journey, "run_ours", lambda *_: SimpleNamespace(window=None))
    bed: Any = SimpleNamespace(plan=SpeedPlan(events=9_000))
    with pytest.raises(child.MeasurementError, match=r"9,000 events before .* more --events"):
        journey.measure_stages(bed, lambda _: None)


def test_a_measurement_in_its_own_process_speaks_json() -> None:
    """The task comes as JSON, and so does the result."""
    task = LearnerTask(events=32, channels=2, keys=3, settings=LIGHT)
    told = child.main(["rate", msgspec.json.encode(task).decode()])
    assert msgspec.json.decode(told, type=Rate).events == 32


def test_a_measurement_that_fails_says_why() -> None:
    """The end of what the process said is in the error."""
    with pytest.raises(child.MeasurementError, match="no such thing"):
        child.output_of([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_replays_own_rate_is_read_and_its_absence_told() -> None:
    """No rate is no figure."""
    with pytest.raises(Exception, match="told no rate"):
        memory.replay_rate("nothing")


def test_arrow_input_carries_the_key_as_a_column() -> None:
    """The daemon finds it by `input.key_field`."""
    batch = generate(10, num_channels=2, num_keys=3)
    _, _, value = next(iter(arrow_messages(batch)))
    with pa.ipc.open_stream(value) as reader:
        assert reader.schema.names == ["key", "c0", "c1"]
