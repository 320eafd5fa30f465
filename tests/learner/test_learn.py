"""Promises of the learner's changing verb."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from streamssl.config.sections import ObjectivesConfig, ReplayConfig
from tests.learner.streams import EPOCH, LEARN, LEARNER, close_epoch, make_learner, windows

OFF = {"moco": {"weight": 0}, "next_step": {"weight": 0}, "autoencoder": {"weight": 0}}


def test_a_burst_in_slices_then_upkeep() -> None:
    """Nothing before `burst_after`; the burst in slices; then the share of samples asked for."""
    learner = make_learner()
    steps = [close_epoch(learner, epoch).num_steps for epoch in range(1, 11)]
    # 24 events an epoch at one sample an event are one and a half steps of 16.
    assert steps == [0, 5, 5, 2, 1, 2, 1, 2, 1, 2]


def test_it_is_trained_once_the_burst_is_over() -> None:
    """The first burst takes some epochs."""
    learner, trained = make_learner(), []
    for epoch in range(1, 7):
        trained.append(learner.trained)
        close_epoch(learner, epoch)
    assert trained == [False] * 4 + [True] * 2


def test_training_lowers_the_losses() -> None:
    """On a predictable stream prediction and reconstruction get better."""
    learn = LEARN.model_copy(update={"burst_steps": 60, "burst_slice": 20})
    learner = make_learner(learn=learn)
    reports = [close_epoch(learner, epoch) for epoch in range(1, 5)]
    for name in ("next_step", "autoencoder"):
        assert reports[3].losses[name] < 0.85 * reports[1].losses[name]


def test_the_report_counts_samples() -> None:
    """Samples are steps times batch, and every objective has a loss."""
    learner = make_learner()
    close_epoch(learner, 1)
    report = close_epoch(learner, 2)
    assert report.num_trained == report.num_steps * LEARN.batch
    assert set(report.losses) == {"moco", "next_step", "autoencoder"}
    assert report.gradient_norm > 0.0


def test_the_spread_is_that_of_a_live_representation() -> None:
    """Rank and deviation of the last batch's embeddings; unknown before the first step."""
    learner = make_learner()
    close_epoch(learner, 1)
    assert math.isnan(learner.spread().effective_rank)
    close_epoch(learner, 2)
    digest, spread = learner.weights_digest(), learner.spread()
    assert 1.0 <= spread.effective_rank <= LEARNER.embedding
    assert spread.min_standard_deviation > 0.0
    assert learner.weights_digest() == digest


def test_teacher_follows_by_its_momentum() -> None:
    """Teacher ← m · teacher + (1 - m) · student, after a step."""
    learn = LEARN.model_copy(update={"burst_slice": 1})
    learner = make_learner(learn=learn)
    trainer = learner._trainer
    before = [p.clone() for p in trainer.teacher.parameters()]
    close_epoch(learner, 1)
    close_epoch(learner, 2)
    m = LEARNER.momentum
    rows = zip(before, trainer.teacher.parameters(), trainer.student.parameters(), strict=True)
    for old, teacher, student in rows:
        torch.testing.assert_close(teacher, m * old + (1 - m) * student)


def test_epochs_without_fresh_rows_learn_from_replay() -> None:
    """An epoch whose rows were all gated still takes its steps, from what is held."""
    learner = make_learner()
    for epoch in range(1, 6):
        close_epoch(learner, epoch)
    assert close_epoch(learner, 6, num_fresh=0).num_steps == 2
    assert close_epoch(learner, 7, num_fresh=1).num_trained == LEARN.batch


def test_nothing_held_and_nothing_fresh_is_no_step() -> None:
    """Without any window there is nothing to learn from, and that is no error."""
    learner = make_learner(replay=ReplayConfig(max_bytes=1))
    for epoch in range(1, 8):
        assert close_epoch(learner, epoch, num_fresh=0).num_steps == 0


def test_without_replay_fresh_rows_fill_the_batch() -> None:
    """A reservoir that holds nothing leaves batches full-sized."""
    learner = make_learner(replay=ReplayConfig(max_bytes=1))
    close_epoch(learner, 1)
    assert close_epoch(learner, 2).num_trained == 5 * LEARN.batch
    assert learner.replay_records == learner.replay_bytes == 0


@pytest.mark.parametrize("off", ["learning", "objectives"])
def test_switched_off_nothing_moves(off: str) -> None:
    """With learning or every objective off the weights stay and nothing is kept."""
    learn = LEARN.model_copy(update={"enabled": off != "learning"})
    objectives = ObjectivesConfig.model_validate(OFF if off == "objectives" else {})
    learner = make_learner(learn=learn, objectives=objectives)
    digest = learner.weights_digest()
    assert [close_epoch(learner, e).num_steps for e in range(1, 6)] == [0] * 5
    assert learner.weights_digest() == digest
    assert learner.replay_records == 0


def test_a_step_that_is_not_finite_changes_nothing() -> None:
    """Infinite windows: the steps are counted as refused; weights, moments, queue stand."""
    learner = make_learner()
    for epoch in range(1, 6):
        close_epoch(learner, epoch)
    before = learner.state_dict()["trainer"]
    x_NTC, time_N = windows(EPOCH)
    report = learner.learn(
        {"window": x_NTC + np.float32(np.inf)},
        time_N,
        epoch=6,
        num_events=EPOCH,
        num_learnt=200,
        now_s=0.0,
    )
    after = learner.state_dict()["trainer"]
    assert report.num_steps_nonfinite == 2
    assert report.num_steps == report.num_trained == 0
    assert math.isnan(report.gradient_norm)
    assert_same(before, after)


def test_the_seed_and_the_epoch_decide_everything() -> None:
    """Same seed, same bits; another seed or other epoch numbers, other weights."""

    def digest(seed: int, first_epoch: int) -> int:
        learner = make_learner(seed=seed)
        for i in range(1, 5):
            x_NTC, time_N = windows(EPOCH, start=i)
            epoch, num_learnt = first_epoch + i, EPOCH * i
            learner.learn(
                {"window": x_NTC},
                time_N,
                epoch=epoch,
                num_events=EPOCH,
                num_learnt=num_learnt,
                now_s=0.0,
            )
        return learner.weights_digest()

    torch.manual_seed(1)
    first = digest(0, 0)
    torch.manual_seed(2)
    assert digest(0, 0) == first
    assert digest(1, 0) != first
    assert digest(0, 10) != first


def test_global_generators_are_left_alone() -> None:
    """Neither building nor learning draws from torch's or NumPy's global generators."""
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    learner = make_learner()
    close_epoch(learner, 1)
    close_epoch(learner, 2)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
def test_resume_at_any_epoch_is_bit_identical(stop: int) -> None:
    """Before, within and after the burst: a restored learner goes on with the same bits."""
    whole, first, second = make_learner(), make_learner(), make_learner()
    for epoch in range(1, 8):
        close_epoch(whole, epoch)
    for epoch in range(1, stop + 1):
        close_epoch(first, epoch)
    for epoch in range(50, 53):
        close_epoch(second, epoch)  # whatever it held before is replaced
    second.load_state_dict(first.state_dict())
    for epoch in range(stop + 1, 8):
        close_epoch(second, epoch)
    assert second.weights_digest() == whole.weights_digest()
    assert second.trained == whole.trained
    assert_same(second.state_dict(), whole.state_dict())


def test_a_state_of_before_there_were_policies_loads() -> None:
    """It holds a reservoir, and does not say so."""
    learner, restored = make_learner(), make_learner()
    close_epoch(learner, 1)
    state = learner.state_dict()
    del state["policy"]
    restored.load_state_dict(state)
    assert_same(restored.state_dict(), learner.state_dict())


def test_a_state_is_a_copy() -> None:
    """Learning on does not change a state that was taken."""
    learner = make_learner()
    for epoch in range(1, 4):
        close_epoch(learner, epoch)
    state, again = learner.state_dict(), learner.state_dict()
    close_epoch(learner, 4)
    assert_same(state, again)


def assert_same(first: object, second: object) -> None:
    """Both nested states hold the same bits."""
    assert type(first) is type(second)
    if isinstance(first, dict) and isinstance(second, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert isinstance(key, str)
            assert_same(first[key], second[key])
    elif isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        assert torch.equal(first, second)
    elif isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        assert np.array_equal(first, second)
    else:
        assert first == second
