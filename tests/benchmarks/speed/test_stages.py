"""Stage accounting: the daemon's own sums, in the journey's order, beside a floor."""

from __future__ import annotations

import pytest
import torch

from benchmarks.speed.plan import CORE, SpeedPlan
from benchmarks.speed.scrapes import Window, steady_window
from benchmarks.speed.sizes import operations_of, sizes_of
from benchmarks.speed.stages import REST, in_order, stage_rows
from benchmarks.speed.work import Traffic, Work, stage_work, total_operations
from streamssl.modalities.sensor.encoder import WindowEncoder
from streamssl.modalities.sensor.network import SensorNetwork
from streamssl.telemetry.stages import STAGES
from tests.benchmarks.speed.scrapes import MACHINE, scrape

WINDOW = Window(
    scrape(10.0, 1_000, poll=1.0, score=2.0, publish=3.0, wait=1.0),
    scrape(20.0, 3_000, poll=2.0, score=6.0, publish=6.0, wait=9.0, warp=1.0),
)
BROKER_S = {"consume": 1e-4, "produce": 2e-4}


def test_a_stage_costs_what_its_sum_grew_by_per_event() -> None:
    """Events of the window divide the growth of the sum; dead letters are no events."""
    rows = {row.stage: row for row in stage_rows(WINDOW, {}, MACHINE, BROKER_S)}
    assert WINDOW.events == 2_000
    assert rows["score"].seconds_per_event == pytest.approx(2e-3)
    assert rows["score"].share == pytest.approx(0.4)


def test_learning_is_counted_by_rows_of_the_epochs_that_ended() -> None:
    """Of ten events six were learnt, two gated and two are of the open epoch: they do not count."""
    assert WINDOW.rows_per_closed_row("trained") == pytest.approx(0.25)
    assert WINDOW.rows_per_closed_row("learnt") == pytest.approx(0.75)


def test_stages_stand_in_the_journeys_order_and_unknown_ones_last() -> None:
    """A stage that is new to the table is shown, not lost."""
    assert in_order(["warp", "learn", "poll"])[-1] == "warp"
    names = [row.stage for row in stage_rows(WINDOW, {}, MACHINE, BROKER_S)]
    assert names == [*STAGES, "warp", REST]


def test_shares_add_up_to_the_whole_time() -> None:
    """What no stage covers is shown as the rest."""
    rows = stage_rows(WINDOW, {}, MACHINE, BROKER_S)
    assert sum(row.share or 0.0 for row in rows) == pytest.approx(1.0)


def test_a_stage_that_is_not_reported_has_its_floor() -> None:
    """Nothing is made up of what it took."""
    work = {"embed": Work(operations=1e5)}
    rows = {row.stage: row for row in stage_rows(WINDOW, work, MACHINE, BROKER_S)}
    assert rows["embed"].seconds_per_event is None
    assert rows["embed"].floor_s == pytest.approx(1e-6)


def test_floors_of_the_brokers_stages_come_from_the_bare_client() -> None:
    """Consuming and producing alone, on the same broker."""
    rows = {row.stage: row for row in stage_rows(WINDOW, {}, MACHINE, BROKER_S)}
    assert rows["poll"].floor_s == 1e-4
    assert rows["publish"].floor_s == 2e-4


def test_a_floor_is_the_slower_of_operations_and_bytes() -> None:
    """And in words which of the two it was."""
    assert Work(operations=1e5, num_bytes=1e3).floor_s(MACHINE) == pytest.approx(1e-6)
    assert "operations" in Work(operations=1e5).how(MACHINE)
    assert Work(operations=1.0, num_bytes=1e5).floor_s(MACHINE) == pytest.approx(1e-5)
    assert "bandwidth" in Work(operations=1.0, num_bytes=1e5).how(MACHINE)


def test_the_steady_window_leaves_the_beginning_and_the_end_out() -> None:
    """From 30 % to 97 % of the backlog; too few scrapes give no window."""
    scrapes = [scrape(float(at), 100 * at) for at in range(11)]
    window = steady_window(scrapes, 1_000)
    assert window is not None
    assert (window.first.events, window.last.events) == (300, 900)
    assert steady_window(scrapes[:3], 1_000) is None


def test_work_is_counted_from_the_configuration() -> None:
    """Every stage of the journey has its count, which grows with channels and sizes."""
    config = SpeedPlan().config()
    traffic = Traffic(in_bytes=170.0, out_bytes=700.0, state_bytes=1e6)
    work = stage_work(config, 16, 1_000, traffic)
    assert set(STAGES) - set(work) == {"wait"}
    assert total_operations(config, 38, 1) > total_operations(config, 16, 1_000)
    wide = SpeedPlan(overrides=("learner.hidden=512",)).config()
    assert stage_work(wide, 16, 1_000, traffic)["embed"].operations > work["embed"].operations
    idle = SpeedPlan().config("learn.enabled=false")
    learning = stage_work(idle, 16, 1_000, traffic)["learn"]
    assert 0.0 < learning.operations < work["learn"].operations


def test_sizes_are_those_of_what_is_built() -> None:
    """The Gaussians' features, and two operations a weight of the network's layers."""
    config = SpeedPlan().config()
    sizes = sizes_of(config, 16)
    assert sizes.gaussians == {
        "averaged": 80,
        "lagged": 96,
        "leaky": 96,
        "student": 96,
        "window": 32,
        "residual": 32,
    }
    assert sizes.shapes == 2 * 16 * (16 * 16 + 2 * 16)
    network = SensorNetwork(num_channels=16, window=32, config=config.learner)
    layers = [p.numel() for p in network.encoder.parameters() if p.dim() == 2]
    assert sizes.infer == 2 * (sum(layers) + config.learner.embedding * 2 * 16)
    assert sizes.forward == 2 * (sum(layers) + network.decoder.weight.numel())


def test_a_mix_of_many_channels_counts_for_every_row_of_the_summary() -> None:
    """Above 64 channels the encoder's first layer is used once a row, not once a window."""
    network = SensorNetwork(num_channels=100, window=32, config=SpeedPlan().config().learner)
    assert isinstance(network.encoder, WindowEncoder)
    mix = network.encoder.mix
    assert mix is not None
    layers = [p.numel() for p in network.encoder.parameters() if p.dim() == 2]
    reused = (len(network.encoder.sizes) - 1) * mix.weight.numel()
    inputs = {"window": torch.zeros(1, 32, 100)}
    assert operations_of(lambda: network.encode(inputs)) == 2 * (sum(layers) + reused)


def test_without_networks_nothing_is_counted_for_them() -> None:
    """The statistical core alone embeds nothing and trains nothing."""
    work = stage_work(
        SpeedPlan().config(*CORE), 16, 1_000, Traffic(in_bytes=170.0, out_bytes=700.0)
    )
    assert work["embed"] == Work()
    idle = SpeedPlan().config(*CORE, "learn.enabled=false")
    assert total_operations(idle, 16, 1_000) == sum(row.operations for row in work.values())
